"""The fast way of a streamed answer beside the slow one: any cut, any pace of the client, any end."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.asgi import Sent
from uvicorn.server import ServerState

from codex_proapi.commons.http.connection.heads import RequestHead
from codex_proapi.commons.http.connection.request_cycle import RequestCycle
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.api.dialects.chat import CHAT
from codex_proapi.gateway.api.dialects.limit_headers import headers_of_limits
from codex_proapi.gateway.errors import BadRequest, GatewayError, Truncated
from codex_proapi.gateway.exchange.answer.pushed_stream import SLICE_BYTES, WHOLE_BYTES
from codex_proapi.gateway.exchange.answer.response_writer import (
    KEEP_ALIVE_TICKS,
    ResponseWriter,
    WriterTerms,
)
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.metrics.histograms import LabelledHistogram
from codex_proapi.gateway.server.sink import DirectSink, HttpSink
from codex_proapi.gateway.translation.stream.stream_translator import (
    ResponseReport,
    StreamTranslator,
)
from codex_proapi.gateway.upstream.http_response import ConnectionLost
from codex_proapi.gateway.upstream.transport import PushingStream, Receiver


class Doubling:
    """A translator that says everything twice, until a full stop; a comma is nothing to say."""

    keep_alive = b": keep-alive\n\n"

    def __init__(self) -> None:
        self.report = ResponseReport()
        self.done = False

    def feed(self, data: bytes) -> bytes:
        if self.done:
            return b""
        if b"!" in data:
            raise BadRequest("refused in the stream", code="no")
        whole, stop, _ = data.partition(b".")
        if stop:
            self.done = True
            self.report.ending = Ending.WHOLE
        return b"".join(bytes([letter]) * 2 for letter in whole + stop if letter != ord(","))

    def finish(self) -> bytes:
        if not self.done:
            raise Truncated("cut")
        return b""

    def fail(self, error: GatewayError) -> bytes:
        return f"error: {error.code}".encode()


class Source(PushingStream):
    """An upstream stream that is pushed, or read: the test says what comes, and when."""

    def __init__(self, held: bytes, pieces: list[bytes], *, broken: bool = False) -> None:
        self.held = held
        self.released = False
        self.paused = False
        self.resumed = 0
        self.receiver: Receiver | None = None
        self._pieces = pieces
        self._broken = broken

    def push_to(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.go_on()

    def go_on(self) -> None:
        """Give everything that is left, until the receiver says stop."""
        assert self.receiver is not None
        while self._pieces and not self.paused:
            self.paused = not self.receiver.received(self._pieces.pop(0))
        if not self._pieces and not self.paused:
            self.receiver.ended(ConnectionLost("broken") if self._broken else None)

    def resume(self) -> None:
        self.resumed += 1
        self.paused = False
        self.go_on()

    async def read(self) -> bytes:
        if not self._pieces and self._broken:
            raise Truncated("The backend broke off in the middle of its answer.")
        return self._pieces.pop(0) if self._pieces else b""

    def release(self) -> None:
        self.released = True


class Transport:
    """The client's side, which is full after so many writes, as often as the test says."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.full_after = 10**6
        self.connection: Any = None

    def write(self, data: bytes) -> None:
        self.written.append(data)
        if len(self.written) % self.full_after == 0:
            self.connection.write_paused = True

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass


class Connection:
    def __init__(self) -> None:
        self.transport: Any = Transport()
        self.transport.connection = self
        self.read_paused = self.write_paused = False
        self.server_state = ServerState()
        self._writable = asyncio.Event()

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        self.transport.close()

    async def writable(self) -> None:
        await self._writable.wait()

    def response_complete(self, cycle: RequestCycle) -> None:
        pass

    def take(self, cycle: RequestCycle) -> None:
        """The client has taken everything."""
        self.write_paused = False
        self._writable.set()
        cycle.resume_writing()


class Scene:
    def __init__(self, *, direct: bool = True) -> None:
        self.connection = Connection()
        head = RequestHead("POST", "/x", b"/x", b"", "1.1", [], None)
        self.cycle = RequestCycle(self.connection, head, keep_alive=True)
        self.sent = Sent()
        sink: HttpSink = (
            DirectSink(self.cycle.send, "req_1", CHAT, self.cycle)
            if direct
            else HttpSink(self.sent, "req_1", CHAT)
        )
        self.records: list[Any] = []
        self.exchange = Exchange(
            request_id="req_1", endpoint="chat", at=0.0, readers=[self.records.append]
        )
        self.gaps = LabelledHistogram((1, 10, 100))
        self.tasks = Tasks()
        self.translator: StreamTranslator = Doubling()
        self.reply = ResponseWriter(
            sink,
            self.exchange,
            WriterTerms(
                tasks=self.tasks,
                patience_ticks=10,
                gaps=self.gaps,
                limit_headers=headers_of_limits,
                translator=lambda _: self.translator,
            ),
        )
        self.reply.begin(streams=True, codex=False)

    @property
    def body(self) -> bytes:
        """What the client got behind the head, without its chunks' framing."""
        if self.sent.messages:
            return b"".join(self.sent.bodies)
        rest = b"".join(self.connection.transport.written).partition(b"\r\n\r\n")[2]
        body = b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            body += rest[: int(size, 16)]
            rest = rest[int(size, 16) + 2 :]
        return body

    async def take_until(self, done: "asyncio.Future[Any]") -> None:
        """Take as a client that is full again and again."""
        while not done.done():
            if self.connection.write_paused:
                self.connection.take(self.cycle)
            await asyncio.sleep(0)

    def facts(self) -> tuple[Any, ...]:
        self.exchange.settle()
        [record] = self.records
        return record.ending, record.status, record.code, self.exchange.events


async def answer(scene: Scene, source: Source) -> str:
    """The whole answer, as `serve` has it written; gives the code of an error."""
    try:
        await scene.reply.stream(source)
    except GatewayError as error:
        scene.exchange.end(Ending.BROKEN, status=200, code=error.label)
        await scene.reply.fail(error)
        return error.label
    return ""


PIECES = st.lists(
    st.one_of(
        st.sampled_from([b"one ", b"two\n\n", b",", b"!", b"end.", b"after. it", b",,"]),
        st.integers(1, 200_000).map(lambda size: b"x" * size),
    ),
    max_size=6,
)


@given(held=st.sampled_from([b"held", b"", b"all."]), pieces=PIECES, broken=st.booleans(),
       full_after=st.sampled_from([1, 2, 10**6]))  # fmt: skip
def test_the_fast_way_writes_what_the_slow_way_writes(
    held: bytes, pieces: list[bytes], broken: bool, full_after: int
) -> None:
    async def both() -> None:
        fast, slow = Scene(), Scene(direct=False)
        source = Source(held, list(pieces), broken=broken)
        fast.connection.transport.full_after = full_after
        under_way = asyncio.ensure_future(answer(fast, source))
        await fast.take_until(under_way)
        other = Source(held, list(pieces), broken=broken)

        assert await under_way == await answer(slow, other)
        assert fast.body == slow.body
        assert fast.cycle.response_complete
        assert source.released == other.released
        assert fast.facts() == slow.facts()
        assert sum(fast.gaps.counts) == sum(slow.gaps.counts)

    asyncio.run(both())


async def test_one_write_for_each_read_and_the_head_with_the_first() -> None:
    scene = Scene()
    await scene.reply.stream(Source(b"a", [b"b", b",", b"c", b"."]))

    written = scene.connection.transport.written
    assert [piece.count(b"HTTP/1.1 200") for piece in written] == [1, 0, 0, 0]
    assert written[1:] == [b"2\r\nbb\r\n", b"2\r\ncc\r\n", b"2\r\n..\r\n0\r\n\r\n"]


async def test_an_answer_without_a_first_word_sends_its_head_at_once() -> None:
    scene = Scene()
    source = Source(b",", [b"a."])
    source.push_to = lambda receiver: setattr(source, "receiver", receiver)  # type: ignore[method-assign]
    under_way = asyncio.ensure_future(answer(scene, source))
    for _ in range(5):
        await asyncio.sleep(0)

    assert b"".join(scene.connection.transport.written).endswith(b"\r\n\r\n")
    source.go_on()
    assert await under_way == ""


async def test_upstream_is_paused_while_the_client_is_full() -> None:
    scene = Scene()
    source = Source(b"a", [b"b" * 90_000, b"c", b"."])
    scene.connection.transport.full_after = 2
    under_way = asyncio.ensure_future(answer(scene, source))
    for _ in range(5):
        await asyncio.sleep(0)
    assert source.paused
    assert len(scene.body) == 2 + 2 * WHOLE_BYTES
    scene.connection.take(scene.cycle)  # in smaller pieces, after it was full once
    assert len(scene.body) == 2 + 2 * WHOLE_BYTES + 4 * SLICE_BYTES
    scene.reply.tick()
    await scene.take_until(under_way)

    assert source.resumed == 1
    assert scene.body == b"aa" + b"b" * 180_000 + b"cc.."


async def test_what_was_held_until_the_commit_point_is_not_kept_while_the_answer_goes_on() -> None:
    scene = Scene()
    source = Source(b"a" * 1000, [])
    source.push_to = lambda receiver: setattr(source, "receiver", receiver)  # type: ignore[method-assign]
    under_way = asyncio.ensure_future(answer(scene, source))
    for _ in range(5):
        await asyncio.sleep(0)

    assert source.held == b""
    coroutine: Any = under_way.get_coro()
    sizes: list[int] = []
    while coroutine is not None and (frame := getattr(coroutine, "cr_frame", None)) is not None:
        sizes += [len(each) for each in frame.f_locals.values() if isinstance(each, bytes)]
        coroutine = coroutine.cr_await
    assert max(sizes, default=0) < 1000
    under_way.cancel()


async def test_a_client_that_reads_slowly_is_no_silence_and_gets_no_keep_alive() -> None:
    scene = Scene()
    source = Source(b"a", [b"b"])
    scene.connection.transport.full_after = 2
    under_way = asyncio.ensure_future(answer(scene, source))
    for _ in range(5):
        await asyncio.sleep(0)
    for _ in range(3 * KEEP_ALIVE_TICKS):
        scene.reply.tick()
        await asyncio.sleep(0)

    assert scene.body == b"aabb"
    under_way.cancel()


async def test_keep_alives_come_between_two_reads() -> None:
    scene = Scene()
    source = Source(b"a", [])
    source.push_to = lambda receiver: setattr(source, "receiver", receiver)  # type: ignore[method-assign]
    under_way = asyncio.ensure_future(answer(scene, source))
    for _ in range(5):
        await asyncio.sleep(0)
    for _ in range(KEEP_ALIVE_TICKS):
        scene.reply.tick()
    for _ in range(5):
        await asyncio.sleep(0)
    assert source.receiver is not None
    assert source.receiver.received(b"b")
    source.receiver.received(b".")

    await under_way
    assert scene.body == b"aa: keep-alive\n\nbb.."


async def test_what_comes_after_the_end_or_for_nobody_is_dropped() -> None:
    scene = Scene()
    source = Source(b"a", [])
    source.push_to = lambda receiver: setattr(source, "receiver", receiver)  # type: ignore[method-assign]
    under_way = asyncio.ensure_future(answer(scene, source))
    for _ in range(5):
        await asyncio.sleep(0)
    under_way.cancel()
    with pytest.raises(asyncio.CancelledError):
        await under_way

    assert source.receiver is not None
    assert source.receiver.received(b"b")
    source.receiver.ended(None)
    assert scene.body == b"aa"
    assert scene.cycle.on_writable is None


async def test_a_source_that_cannot_push_has_the_head_sent_at_once_too() -> None:
    class Read:
        held = b","

        async def read(self) -> bytes:
            await asyncio.Event().wait()
            return b""

        def release(self) -> None:
            pass

    scene = Scene()
    under_way = asyncio.ensure_future(scene.reply.stream(Read()))
    for _ in range(5):
        await asyncio.sleep(0)

    assert b"".join(scene.connection.transport.written).endswith(b"\r\n\r\n")
    under_way.cancel()
