"""Streams that compiled code copies from upstream's socket to the client's, beside the same parsed."""

import asyncio
import json
from typing import Any

import pytest
from gateway.exchange.test_pushed_stream import Scene, answer
from gateway.translation.stream.test_many_event_reads import FLAWS
from gateway.translation.stream.test_one_event_reads import TRANSLATORS, a_delta
from hypothesis import given
from hypothesis import strategies as st
from support import answers
from support import upstream_says as says
from support.playbook import in_pieces

from codex_proapi.commons.native import NATIVE
from codex_proapi.gateway.upstream.http_connection import HttpConnection
from codex_proapi.gateway.upstream.http_transport import ClosingStreams, HttpResponseStream

pytestmark = pytest.mark.skipif(NATIVE.code is None, reason="the extension is not installed")

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
OPENING = answers.encoded([says.created(), says.added(says.message())])
LAST_CHUNK = b"0\r\n\r\n"


class Upstream:
    """Upstream's side of a connection: its transport, and the client it belongs to."""

    def __init__(self) -> None:
        self.paused = self.closed = False
        self.kept: list[HttpConnection] = []

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def writelines(self, _: Any) -> None:
        pass

    def set_protocol(self, _: HttpConnection) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0

    def answered(self, answer: Any) -> None:
        pass

    def keep(self, connection: HttpConnection) -> None:
        self.kept.append(connection)

    def ending(self, connection: HttpConnection) -> None:
        pass

    def forget(self, connection: HttpConnection) -> None:
        pass


class Copying:
    """One answer for a client, read by read."""

    def __init__(self, kind: str, *, native: bool) -> None:
        NATIVE.switch(on=native)
        self.scene = Scene()
        self.translator = self.scene.translator = TRANSLATORS[kind]()
        self.upstream = Upstream()
        self.connection = HttpConnection(self.upstream)
        self.connection.connection_made(self.upstream)  # type: ignore[arg-type]
        self.received = self.connection.send(b"", b"")
        self.connection.data_received(HEAD)
        self.stream = HttpResponseStream(self.received, OPENING, ClosingStreams(), {}, "")
        self.native = native
        self.under_way = asyncio.ensure_future(answer(self.scene, self.stream))  # type: ignore[arg-type]

    async def begin(self) -> None:
        """Let the answer's task come to where it waits for its stream."""
        while not (self.under_way.done() or self.received.receiver):
            if self.scene.connection.write_paused:
                self.scene.connection.take(self.scene.cycle)
            await asyncio.sleep(0)

    async def read(self, data: bytes) -> None:
        """One read of the socket; the client takes what is written, if it was full."""
        while self.upstream.paused and not self.under_way.done():
            self.scene.connection.take(self.scene.cycle)
            await asyncio.sleep(0)
        NATIVE.switch(on=self.native)
        if not self.upstream.closed:
            self.connection.data_received(data)
        await asyncio.sleep(0)

    async def end(self) -> str:
        """The connection ends, if it is not free for another request; gives the code of an error."""
        if not self.upstream.kept:
            self.connection.connection_lost(None)
        await self.scene.take_until(self.under_way)
        NATIVE.switch(on=True)
        return await self.under_way

    def facts(self) -> tuple[Any, ...]:
        """All that is left of it."""
        numbers = [getattr(self.translator, name, None) for name in ("_next", "_events")]
        kept = len(self.upstream.kept)
        return self.scene.body, self.translator.report, numbers, kept, self.scene.facts()


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    """One chunk of an HTTP body."""
    return b"%x%b\r\n%b\r\n" % (len(data), extension, data)


def compact(bodies: list[says.Body], first: int, *, escaped: bool) -> list[bytes]:
    """The events as the backend writes them."""
    return [
        b"event: %b\ndata: %b\n\n"
        % (
            str(body["type"]).encode(),
            json.dumps(
                {**body, "sequence_number": number}, separators=(",", ":"), ensure_ascii=escaped
            ).encode(errors="surrogatepass"),
        )
        for number, body in enumerate(bodies, first)
    ]


@st.composite
def bodies(draw: st.DrawFn) -> list[bytes]:
    """The payloads of an answer's chunks: mostly an event each, of many deltas, some of them flawed."""
    events = draw(answers.answers()) + [
        says.text(word) for word in draw(st.lists(answers.words, max_size=30))
    ]
    if draw(st.booleans()):
        events += [says.text_done("x"), says.done(says.message("x")), says.completed()]
    first, escaped = draw(st.sampled_from([2, 2, 2, 7])), draw(st.booleans())
    written = compact(events, first, escaped=escaped)
    for at, flaw in draw(
        st.lists(st.tuples(st.integers(0, 40), st.sampled_from(FLAWS)), max_size=2)
    ):
        if at < len(written):
            written[at] = flaw(written[at].replace(b'":', b'": ').replace(b',"', b', "'))
    if draw(st.booleans()):
        return written
    cuts = draw(st.lists(st.integers(0, 6000), max_size=6))
    return [piece for piece in in_pieces(b"".join(written), *cuts) if piece]


@st.composite
def reads(draw: st.DrawFn) -> list[bytes]:
    """An answer as its connection gives it: cut at every chunk, or anywhere."""
    extension = draw(st.sampled_from([b""] * 6 + [b";a=b"]))
    chunks = [
        chunk(payload, extension if not at % 3 else b"")
        for at, payload in enumerate(draw(bodies()))
    ]
    chunks.append(draw(st.sampled_from([LAST_CHUNK, LAST_CHUNK, b"", b"0", b"5\r\nabcde"])))
    # A fault in the framing comes alone: of its own read the parser gives nothing.
    fault = draw(st.sampled_from([[], [], [b"x\r\n"]]))
    if draw(st.booleans()):
        return [each for each in chunks if each] + fault
    data = b"".join(chunks)
    cuts = draw(st.lists(st.integers(0, len(data)), max_size=12))
    return [read for read in in_pieces(data, *cuts) if read] + fault


@pytest.mark.parametrize("kind", TRANSLATORS)
@given(pieces=reads(), full_after=st.sampled_from([1, 3, 10**6, 10**6]))
def test_what_is_copied_is_what_is_translated(
    kind: str, pieces: list[bytes], full_after: int
) -> None:
    async def both() -> None:
        found, gaps = [], []
        for native in (True, False):
            stream = Copying(kind, native=native)
            stream.scene.connection.transport.full_after = full_after
            await stream.begin()
            for piece in pieces:
                await stream.read(piece)
            found.append((await stream.end(), stream.facts()))
            gaps.append(sum(stream.scene.gaps.counts))

        assert found[0] == found[1]
        # What has only framing is a read, too, to the copier; it is noted once at most.
        assert gaps[1] <= gaps[0] <= len(pieces) + 1

    asyncio.run(both())


@pytest.mark.parametrize("kind", TRANSLATORS)
async def test_deltas_are_copied_however_they_are_cut(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Copying(kind, native=True)
    await stream.begin()
    await stream.read(chunk(a_delta("a", 2)))
    await stream.read(chunk(a_delta("a", 3)))
    fed: list[bytes] = []

    def feed(data: bytes) -> bytes:
        fed.append(data)
        return b""

    monkeypatch.setattr(stream.translator, "feed", feed)
    deltas = b"".join(chunk(a_delta(f"é\\n {number}", number)) for number in range(4, 104))
    for read in in_pieces(deltas, *range(0, 30_000, 411)):
        await stream.read(read)
        # A chunk of which only the end is missing has a whole event, which is not kept.
        assert fed == []

    assert all(f" {number}".encode() in stream.scene.body for number in range(4, 104))
    stream.under_way.cancel()
