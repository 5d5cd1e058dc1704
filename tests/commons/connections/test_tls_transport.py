"""Our TLS over a transport, against OpenSSL's server side; no sockets, so every order of events is a choice."""

import asyncio
import contextlib
import pathlib
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.certificates import Authority

from codex_proapi.commons.connections.tls_transport import READ_BYTES, RECORD_BYTES, TlsTransport


class Wire:
    """The transport below: keeps what is written, and gives what is read as a loop would."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.paused = self.closed = self.aborted = False

    def write(self, data: bytes) -> None:
        self.sent += data

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True


class Told(asyncio.Protocol):
    """What speaks inside, and what it was told."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.data = b""
        self.pieces = 0
        self.ended = 0
        self.lost: list[Exception | None] = []
        self.pauses: Iterator[bool] = iter(())

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.pieces += 1
        if next(self.pauses, False):
            self.transport.pause_reading()

    def eof_received(self) -> None:
        self.ended += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


class ToldInBuffer(asyncio.BufferedProtocol):
    """The same, with a buffer of its own that is smaller than a record."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.buffer = memoryview(bytearray(1000))
        self.connection_made = told.connection_made  # type: ignore[method-assign]
        self.connection_lost = told.connection_lost  # type: ignore[method-assign]
        self.eof_received = told.eof_received  # type: ignore[method-assign]

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.told.data_received(bytes(self.buffer[:nbytes]))


class Pair:
    """Our end, and the server's."""

    def __init__(self, folder: pathlib.Path, *, name: str = "localhost", own: bool = False) -> None:
        authority = Authority(folder)
        self.told, self.wire = Told(), Wire()
        protocol = ToldInBuffer(self.told) if own else self.told
        self.ours = TlsTransport(protocol, authority.client(), server_hostname=name)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = authority.server().wrap_bio(self._in, self._out, server_side=True)

    async def handshake(self) -> None:
        self.ours.connection_made(self.wire)  # type: ignore[arg-type]
        for _ in range(3):
            self._in.write(self.taken())
            with contextlib.suppress(ssl.SSLError):  # it wants to read, or was told an alert
                self.server.do_handshake()
            self.give(self._out.read())
        await self.ours.opened()

    def taken(self) -> bytes:
        """What our end has sent."""
        sent = bytes(self.wire.sent)
        self.wire.sent.clear()
        return sent

    def written(self, data: bytes) -> bytes:
        """What the server sends for this data."""
        for start in range(0, len(data), 3000):
            self.server.write(data[start : start + 3000])
        return self._out.read()

    def read(self) -> bytes:
        """What the server understands of what our end has sent."""
        self._in.write(self.taken())
        found = b""
        try:
            while piece := self.server.read(65536):
                found += piece
        except ssl.SSLWantReadError:
            pass
        return found

    def give(self, encrypted: bytes) -> bytes:
        """Let our end read, in reads as large as it takes, until it pauses; gives the rest."""
        while encrypted and not (self.wire.paused or self.wire.closed):
            buffer = self.ours.get_buffer(-1)
            count = min(len(buffer), len(encrypted))
            buffer[:count] = encrypted[:count]
            encrypted = encrypted[count:]
            self.ours.buffer_updated(count)
        return encrypted


KINDS = pytest.mark.parametrize("own", [False, True])
TEXT = bytes(range(256)) * 300


@KINDS
async def test_what_is_written_arrives_whatever_its_length(
    own: bool, tmp_path: pathlib.Path
) -> None:
    pair = Pair(tmp_path, own=own)
    await pair.handshake()

    for size in (0, 1, RECORD_BYTES, RECORD_BYTES + 1, len(TEXT)):
        pair.ours.write(TEXT[:size])
        assert pair.read() == TEXT[:size]
    pair.ours.writelines((b"head ", memoryview(b"body")))
    assert pair.read() == b"head body"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    own=st.booleans(),
    cuts=st.lists(st.integers(1, 20_000), max_size=12),
    pauses=st.lists(st.booleans(), max_size=20),
)
def test_what_comes_is_given_once_and_in_order_however_it_is_cut_and_paused(
    own: bool, cuts: list[int], pauses: list[bool], tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def run() -> None:
        pair = Pair(tmp_path_factory.mktemp("tls"), own=own)
        await pair.handshake()
        pair.told.pauses = iter(pauses)
        rest, waiting = pair.written(TEXT), b""
        while rest or waiting or pair.wire.paused:
            if pair.wire.paused:
                before = pair.told.pieces
                pair.ours.resume_reading()
                assert pair.told.pieces == before, "in a turn of its own"
                await asyncio.sleep(0)
                continue
            if not waiting:
                size = cuts.pop() if cuts else len(rest)
                waiting, rest = rest[:size], rest[size:]
            waiting = pair.give(waiting)
        assert pair.told.data == TEXT
        assert not pair.told.ended
        assert not pair.told.lost

    asyncio.run(run())


async def test_nothing_is_read_or_decrypted_while_it_is_paused(tmp_path: pathlib.Path) -> None:
    """A client that reads slowly holds one read, encrypted; the rest is the system's, and upstream's."""
    pair = Pair(tmp_path, own=True)
    await pair.handshake()
    pair.told.pauses = iter([True])
    encrypted = pair.written(TEXT)

    rest = pair.give(encrypted)

    assert pair.wire.paused
    assert pair.told.pieces == 1
    assert len(encrypted) - len(rest) <= READ_BYTES


async def test_all_connections_read_into_one_buffer(tmp_path: pathlib.Path) -> None:
    (tmp_path / "other").mkdir()
    one, other = Pair(tmp_path), Pair(tmp_path / "other")

    assert one.ours.get_buffer(-1).obj is other.ours.get_buffer(-1).obj
    assert one.ours.get_buffer(-1).nbytes == READ_BYTES
    assert not hasattr(one.ours, "__dict__")


@KINDS
async def test_what_came_with_the_end_is_given_before_it(own: bool, tmp_path: pathlib.Path) -> None:
    pair = Pair(tmp_path, own=own)
    await pair.handshake()
    data = pair.written(b"the last words")
    with pytest.raises(ssl.SSLWantReadError):
        pair.server.unwrap()

    pair.give(data + pair._out.read())

    assert pair.told.data == b"the last words"
    assert pair.told.ended == 1
    assert pair.ours.is_closing()
    assert pair.wire.closed
    assert not pair.wire.aborted
    pair._in.write(pair.taken())
    pair.server.unwrap()  # our end has ended its half, too
    pair.ours.write(b"late")
    assert not pair.taken()


async def test_an_end_without_tls_own_is_no_end_of_the_data(tmp_path: pathlib.Path) -> None:
    pair = Pair(tmp_path)
    await pair.handshake()

    assert not pair.ours.eof_received()
    pair.ours.connection_lost(None)

    assert not pair.told.ended
    assert pair.told.lost == [None]
    pair.ours.write(b"nobody reads it")
    pair.ours.resume_reading()
    pair.ours.close()
    pair.ours.abort()
    assert not pair.taken()


async def test_what_was_changed_on_the_way_is_never_given(tmp_path: pathlib.Path) -> None:
    pair = Pair(tmp_path)
    await pair.handshake()
    changed = bytearray(pair.written(b"one"))
    changed[-1] ^= 1

    pair.give(bytes(changed))

    assert not pair.told.data
    assert pair.wire.aborted
    assert pair.taken(), "an alert"


async def test_another_name_is_refused_before_anything_is_said(tmp_path: pathlib.Path) -> None:
    pair = Pair(tmp_path, name="elsewhere.test")

    with pytest.raises(ssl.SSLCertVerificationError):
        await pair.handshake()

    assert pair.told.transport is None
    assert pair.wire.closed
    pair.ours.connection_lost(None)
    assert not pair.told.lost


@pytest.mark.parametrize("error", [None, ConnectionAbortedError()])
async def test_a_connection_that_ends_in_the_handshake_is_an_error(
    error: Exception | None, tmp_path: pathlib.Path
) -> None:
    pair = Pair(tmp_path)
    pair.ours.connection_made(pair.wire)  # type: ignore[arg-type]
    pair.ours.pause_writing()
    pair.ours.resume_writing()  # what speaks inside knows nothing of the handshake

    pair.ours.connection_lost(error)

    with pytest.raises(ConnectionError) as lost:
        await pair.ours.opened()
    assert lost.value is error or error is None
    assert not pair.told.lost
