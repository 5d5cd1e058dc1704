"""Heads that repeat: whatever comes on a connection, it means what the parser alone takes it for."""

import asyncio
import re
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.listening import serving
from uvicorn.server import ServerState

from codex_proapi.commons.http.connection.heads import RequestHead, read_head
from codex_proapi.commons.http.connection.known_head import (
    MOST_BYTES,
    MOST_HEADERS,
    KnownHead,
    known_head,
)
from codex_proapi.commons.http.connection.protocol import HttpProtocol, protocol_with
from codex_proapi.commons.http.connection.request_cycle import ClientGone, RequestCycle
from codex_proapi.gateway.api.router import fault_body
from codex_proapi.gateway.server.http_limits import HTTP_LIMITS

LINES = ("Host: gateway", "Authorization: Bearer sk-One", "Content-Type: application/json")


def a_post(*lines: str, length: object = 3, target: str = "/v1/x?a=b") -> bytes:
    lines = (f"POST {target} HTTP/1.1", *(lines or LINES), f"Content-Length: {length}", "", "")
    return "\r\n".join(lines).encode("latin-1")


def read(data: bytes) -> tuple[bytes, RequestHead]:
    """The target and the head of a request, as the parser has them."""
    first, *lines = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
    headers = [line.partition(b":")[::2] for line in lines]
    found = [(name.lower(), value.strip()) for name, value in headers]
    url = first.split(b" ")[1]
    return url, read_head(b"POST", url, "1.1", found, ("127.0.0.1", 1))


def known(data: bytes) -> KnownHead | None:
    url, head = read(data)
    return known_head(data, url, head)


@pytest.mark.parametrize("length", [0, 3, 17, 123456789, "007"])
def test_the_same_head_with_another_length_is_what_the_parser_would_read(length: object) -> None:
    first, again = a_post() + b"abc", a_post(length=length)
    found = known(first)

    assert found is not None
    assert again.startswith(found.before)
    assert found.read(again + b"rest") == (str(length).encode(), len(again))
    assert found.headers(str(length).encode()) == read(again)[1].headers
    assert found.head == read(first)[1]


def test_what_is_remembered_stays_when_a_head_was_used() -> None:
    url, head = read(a_post())
    found = known_head(a_post(), url, head)
    head.headers.clear()

    assert found is not None
    for length in (b"1", b"2"):
        again = found.headers(length)
        assert again[-1] == (b"content-length", length)
        again.clear()


@pytest.mark.parametrize(
    "data",
    [
        a_post().replace(b"POST", b"PUT "),
        a_post(length=""),
        a_post(length="-1"),
        a_post(length="+1"),
        a_post(length="1 "),
        a_post(length=" 1"),
        a_post(length="1,1"),
        a_post(length="1_0"),
        a_post(length=1234567890),
        a_post(length="\xb2"),
        a_post(length="3\r\nX-More: 1"),
        a_post(length=3)[:-2],
        a_post(length=3).replace(b"sk-One", b"sk-one"),
        a_post(length=3).replace(b"Content-Length: ", b"Content-Length:"),
        b"\r\n" + a_post(length=3),
    ],
)
def test_any_other_head_is_another(data: bytes) -> None:
    found = known(a_post())

    assert found is not None
    assert not data.startswith(found.before) or found.read(data) is None


@pytest.mark.parametrize(
    "lines",
    [
        (*LINES, "Transfer-Encoding: chunked"),
        (*LINES, "Upgrade: websocket", "Connection: upgrade"),
        (*LINES, "Expect: 100-continue"),
        (*LINES, "Content-Length: 3"),
        (*LINES, "X-Space:  two"),
        (*LINES, "X-Space:none"),
        (*LINES, "X-Space: behind "),
        (*LINES, "X-Long: " + "y" * MOST_BYTES),
        (*LINES, *(f"X-{n}: y" for n in range(MOST_HEADERS))),
    ],
)
def test_a_head_that_may_mean_more_is_not_remembered(lines: tuple[str, ...]) -> None:
    assert known(a_post(*lines)) is None


class Transport:
    """What a connection does to its client."""

    def __init__(self) -> None:
        self.did: list[Any] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        assert not self.closing
        self.did.append(re.sub(rb"req_[0-9a-f]+", b"req", data))

    def write_eof(self) -> None:
        self.did.append("eof")

    def close(self) -> None:
        self.did.append("close")
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing

    def can_write_eof(self) -> bool:
        return True

    def pause_reading(self) -> None:
        self.did.append("pause")

    def resume_reading(self) -> None:
        self.did.append("resume")

    def set_write_buffer_limits(self, high: int) -> None:
        del high

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 1) if name.endswith("name") else None


class Answers:
    """Answers requests, at once or when their bodies have come, and takes notes of them."""

    def __init__(self) -> None:
        self.notes: list[Any] = []

    def direct(self, cycle: RequestCycle) -> Coroutine[Any, Any, None] | None:
        return self._answer(cycle) if cycle.head.path != "/asgi" else None

    async def _answer(self, cycle: RequestCycle) -> None:
        head = cycle.head
        self.notes.append([head.method, head.path, head.query, cycle.headers])
        body = b""
        try:
            while head.path != "/early":
                piece, more = await cycle.read()
                body += piece
                if not more:
                    break
        except ClientGone:
            self.notes.append("gone")
            return
        self.notes.append((body, cycle.keep_alive))
        cycle.start(200, [(b"content-length", b"%d" % len(head.path))])
        cycle.end(head.path.encode())

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.notes.append([scope["path"], list(scope["headers"]), (await receive())["body"]])
        start = {"type": "http.response.start", "status": 200, "headers": []}
        await send(start)
        await send({"type": "http.response.body", "body": b"asgi"})


class Side:
    """One connection of a client, with heads remembered or by the parser alone."""

    def __init__(self, *, remembers: bool) -> None:
        self.answers, self.transport = Answers(), Transport()
        self.recognised = 0
        service: Any = protocol_with(HTTP_LIMITS, fault_body, self.answers.direct)
        side = self

        class Watched(service):  # type: ignore[misc]
            def _take_request(self, known: KnownHead, data: bytes) -> bool:
                taken = remembers and super()._take_request(known, data)
                side.recognised += taken
                return bool(taken)

        config: Any = type("Configured", (), {"loaded_app": staticmethod(self.answers.app)})
        self.protocol: HttpProtocol = Watched(config, ServerState(), {})
        self.protocol.connection_made(self.transport)  # type: ignore[arg-type]

    async def take(self, reads: Sequence[bytes], turns: int) -> list[Any]:
        """Read, as a loop gives bytes to a protocol; gives everything that was seen and done.

        There are so many turns of the loop before each read, and more while reading is paused. Where
        nothing is read the drain begins.
        """
        for data in reads:
            for turn in range(20):
                if turn >= turns and not self.protocol.read_paused:
                    break
                await asyncio.sleep(0)
            if self.transport.closing or self.protocol.read_paused:
                break
            if data:
                self.protocol.data_received(data)
            else:
                self.protocol.leave()
        for _ in range(20):
            await asyncio.sleep(0)
        state = (self.protocol.waits, self.protocol._in_head, self.protocol.read_paused)
        if not self.transport.closing:
            self.protocol.connection_lost(None)
            await asyncio.sleep(0)
        return [self.answers.notes, self.transport.did, state]


def on_both(reads: Sequence[bytes], turns: int = 5) -> int:
    """Have both sides read; gives how many heads were recognised."""

    async def run() -> int:
        one, other = Side(remembers=True), Side(remembers=False)
        assert await one.take(reads, turns) == await other.take(reads, turns)
        return one.recognised

    return asyncio.run(run())


def requests(*paths: str, size: int = 3) -> list[bytes]:
    return [
        a_post(length=size + n, target=path) + b"x" * (size + n) for n, path in enumerate(paths)
    ]


@pytest.mark.parametrize("path", ["/x", "/early", "/asgi"])
@pytest.mark.parametrize("size", [0, 5, 64 * 1024, 200_000])
def test_from_the_third_request_on_a_head_is_recognised(path: str, size: int) -> None:
    assert on_both(requests(*[path] * 5, size=size)) == 3


@pytest.mark.parametrize("at", [1, 30, 200, 10_000, -2, -1])
@pytest.mark.parametrize("path", ["/x", "/early"])
def test_a_body_comes_in_any_pieces(at: int, path: str) -> None:
    whole = requests(*[path] * 5, size=20_000)
    cut = [piece for each in whole for piece in (each[:at], each[at:])]

    assert on_both(cut) == (0 if at in (1, 30) else 3)


def test_a_head_alone_is_recognised_and_its_body_may_have_the_next_request_behind_it() -> None:
    end = a_post().index(b"\r\n\r\n") + 4
    asks = requests(*["/v1/x?a=b"] * 6)
    joined = [*asks[:2], asks[2][:end], asks[2][end:] + asks[3], asks[4] + asks[5]]

    assert on_both(joined) == 2


def test_heads_that_are_all_different_are_remembered_less_and_less_often() -> None:
    made: list[int] = []

    async def run() -> None:
        side = Side(remembers=True)
        for n in range(40):
            before = side.protocol._known_head
            side.protocol.data_received(a_post("Host: x", f"X-Id: {n}") + b"abc")
            if side.protocol._known_head is not before:
                made.append(n + 1)
            for _ in range(5):
                await asyncio.sleep(0)

    asyncio.run(run())

    assert made == [2, 4, 8, 16, 32]


HEADS = [
    a_post(),
    a_post("Host: gateway", "Connection: keep-alive"),
    a_post("Host: gateway", "Connection: close"),
    a_post("Host: gateway", "Expect: 100-continue"),
    a_post("Host: gateway", "Transfer-Encoding: chunked"),
    a_post("Host: gateway", "Upgrade: h2c", "Connection: upgrade"),
    a_post(target="/early"),
    a_post().replace(b"HTTP/1.1", b"HTTP/1.0"),
    b"GET /x HTTP/1.1\r\nHost: gateway\r\n\r\n",
    b"HEAD /x HTTP/1.1\r\nHost: gateway\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"\r\n",
]
USUAL = [HEADS[0], HEADS[1], HEADS[6]]


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """What comes on a connection: mostly one head again and again, some of them changed, and cut."""
    usual, reads = draw(st.sampled_from(USUAL)), [b""]
    for _ in range(draw(st.integers(1, 8))):
        body = b"y" * draw(st.sampled_from([0, 1, 3, 3, 200, 70_000]))
        head = usual if draw(st.integers(0, 3)) else draw(st.sampled_from(HEADS))
        head = head.replace(b"ength: 3", b"ength: %d" % len(body))
        if not draw(st.integers(0, 7)):
            at = draw(st.integers(0, len(head)))
            put = draw(
                st.sampled_from([b"", b" ", b"\r", b"\n", b"\r\n", b"\0", b"7", b":", b"\t", b"-"])
            )
            head = head[:at] + put + head[at + draw(st.integers(0, 1)) :]
        asked = head + (b"" if b"hunked" in head else body)
        at = draw(st.sampled_from([0, 0, len(head), draw(st.integers(0, len(asked)))]))
        if draw(st.booleans()):
            reads[-1] += asked[:at]
            reads.append(asked[at:])
        else:
            reads += [asked[:at], asked[at:]]
    reads = [piece for piece in reads if piece]
    if not draw(st.integers(0, 5)):
        reads.insert(draw(st.integers(0, len(reads))), b"")
    return reads


@settings(max_examples=300, deadline=None)
@given(reads=streams(), turns=st.sampled_from([0, 1, 5]))
def test_whatever_comes_means_what_the_parser_alone_takes_it_for(
    reads: list[bytes], turns: int
) -> None:
    on_both(reads, turns)


async def test_a_server_that_drains_says_so_with_a_known_head() -> None:
    async with serving() as scene:
        reader, writer = await scene.connect()
        for drains in (False, False, False, True):
            if drains:
                scene.connections[0].leave()
            writer.write(a_post() + b"abc")
            head = await reader.readuntil(b"\r\n\r\n")
            assert (b"connection: close" in head) == drains
            assert await reader.readexactly(1) == b"3"
        assert await reader.read() == b""
        writer.close()
