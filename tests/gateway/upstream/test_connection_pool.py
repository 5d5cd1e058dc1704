import asyncio
import contextlib
import pathlib
import socket
import ssl
from typing import Any

import pytest
import uvloop
from support.certificates import Authority
from support.gateways import PATIENCE_SECONDS

from codex_proapi.gateway.upstream.connection_pool import (
    IDLE_BEATS,
    HttpClient,
    StaleConnection,
    Unreachable,
)
from codex_proapi.gateway.upstream.http_response import HEAD_BYTES, HIGH_WATER, ConnectionLost


class Server:
    """A server that says, connection by connection, exactly what a test wants said."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.scripts: list[Any] = []
        self.connections: list[Any] = []
        self.gone = asyncio.Event()
        self.port = 0

    async def serve(self, reader: Any, writer: Any) -> None:
        number = len(self.connections)
        self.connections.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                self.requests.append((number, head, body))
                script = self.scripts.pop(0) if self.scripts else [WHOLE]
                for step in script:
                    if step == "close":
                        return
                    if step == "abort":
                        writer.transport.abort()
                        return
                    if step == "hang":
                        await reader.read()
                        return
                    writer.write(step)
                    await writer.drain()
                    await asyncio.sleep(0.005)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.gone.set()
            writer.close()


def chunked(*pieces: Any, end: Any = True) -> Any:
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    return b"".join([HEAD_CHUNKED, *chunks, b"0\r\n\r\n" if end else b""])


HEAD_CHUNKED = b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture
async def server() -> Any:
    made = Server()
    listener = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listener.sockets[0].getsockname()[1]
    yield made
    listener.close()
    for writer in made.connections:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
async def client(server: Any) -> Any:
    made = HttpClient(f"http://127.0.0.1:{server.port}/codex/responses?a=b")
    yield made
    made.close()
    await asyncio.sleep(0)


async def read_all(answer: Any) -> Any:
    pieces: list[Any] = []
    while piece := await answer.read():
        pieces.append(piece)
    return b"".join(pieces)


async def test_a_request_is_one_head_and_its_body(client: Any, server: Any) -> None:
    answer = await client.post({"authorization": "Bearer t", "x-b": "c"}, b'{"a":1}')

    assert await read_all(answer) == b"ok"
    assert server.requests == [
        (
            0,
            b"POST /codex/responses?a=b HTTP/1.1\r\n"
            b"host: 127.0.0.1:%d\r\nauthorization: Bearer t\r\nx-b: c\r\n"
            b"content-length: 7\r\n\r\n" % server.port,
            b'{"a":1}',
        )
    ]


async def test_chunks_come_as_one_piece_for_each_read_of_the_socket(
    client: Any, server: Any
) -> None:
    server.scripts = [[chunked(b"one ", b"two ", end=False), b"5\r\nthree\r\n0\r\n\r\n"]]

    answer = await client.post({}, b"")

    assert (answer.status, answer.headers["x-a"]) == (200, "b")
    assert await answer.read() == b"one two "
    assert not answer.at_end
    assert await answer.read() == b"three"
    assert (await answer.read(), await answer.read()) == (b"", b"")
    assert answer.at_end


@pytest.mark.parametrize("cut", [1, 7, 16, 40, 64])
async def test_any_cut_of_the_bytes_gives_the_same_answer(
    client: Any, server: Any, cut: Any
) -> None:
    whole = chunked(b"data: one\n\n", b"data: two\n\n")
    server.scripts = [[whole[i : i + cut] for i in range(0, len(whole), cut)]]

    answer = await client.post({}, b"")

    assert await read_all(answer) == b"data: one\n\ndata: two\n\n"


async def test_an_answer_without_a_length_ends_with_its_connection(
    client: Any, server: Any
) -> None:
    server.scripts = [[b"HTTP/1.1 200 OK\r\n\r\n", b"all of it", "close"], [WHOLE]]

    assert await read_all(await client.post({}, b"")) == b"all of it"
    assert await read_all(await client.post({}, b"")) == b"ok"
    assert len(server.connections) == 2


async def test_announcements_before_the_answer_are_passed_over(client: Any, server: Any) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    server.scripts = [[early, WHOLE]]

    answer = await client.post({}, b"")

    assert (answer.status, answer.headers) == (200, {"content-length": "2"})
    assert await read_all(answer) == b"ok"


async def test_a_connection_is_used_again_the_last_one_first(client: Any, server: Any) -> None:
    for _ in range(3):
        await read_all(await client.post({}, b""))
    server.scripts = [[HEAD_CHUNKED, "hang"]]
    busy = await client.post({}, b"")
    await read_all(await client.post({}, b""))
    await read_all(await client.post({}, b""))

    assert [number for number, _, _ in server.requests] == [0, 0, 0, 0, 1, 1]
    busy.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        WHOLE + b"and what nobody asked for",
        WHOLE + WHOLE,
        WHOLE + b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\nstolen",
    ],
)
async def test_a_connection_that_cannot_be_used_again_is_not(
    client: Any, server: Any, answer: Any
) -> None:
    server.scripts = [[answer]]

    assert await read_all(await client.post({}, b"")) == b"ok"
    await asyncio.sleep(0.02)
    assert await read_all(await client.post({}, b"")) == b"ok"

    assert [number for number, _, _ in server.requests] == [0, 1]


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_a_kept_connection_that_turns_out_dead_is_told_apart_and_not_repeated_here(
    client: Any, server: Any, end: Any
) -> None:
    await read_all(await client.post({}, b""))
    server.scripts = [[end], [WHOLE]]

    with pytest.raises(StaleConnection):
        await client.post({}, b"again")
    answer = await client.post({}, b"again", new_connection=True)

    assert await read_all(answer) == b"ok"
    assert [number for number, _, _ in server.requests] == [0, 0, 1]


async def test_a_kept_connection_that_breaks_later_may_have_carried_the_request(
    server: Any,
) -> None:
    times = iter([0.0, 1.5])
    client = HttpClient(f"http://127.0.0.1:{server.port}/", clock=lambda: next(times, 3.0))
    await read_all(await client.post({}, b""))
    server.scripts = [["abort"], [WHOLE]]

    with pytest.raises(ConnectionLost) as lost:
        await client.post({}, b"again")

    assert not isinstance(lost.value, StaleConnection)
    assert len(server.requests) == 2
    client.close()


async def test_trailers_without_end_break_the_answer_off(client: Any, server: Any) -> None:
    trailers = [b"x-a: b\r\n" * 2000] * 10
    server.scripts = [[HEAD_CHUNKED, b"3\r\none\r\n0\r\n", *trailers, "hang"]]
    answer = await client.post({}, b"")

    with pytest.raises(ConnectionLost):
        await asyncio.wait_for(read_all(answer), PATIENCE_SECONDS)


async def test_why_no_connection_can_be_made_is_told(server: Any, monkeypatch: Any) -> None:
    nobody = HttpClient("http://127.0.0.1:9/")
    with pytest.raises(Unreachable) as refused:
        await nobody.post({}, b"")
    assert refused.value.cause == "tcp: ConnectionRefusedError"

    async def no_tls(reader: Any, writer: Any) -> None:
        del reader
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    listener = await asyncio.start_server(no_tls, "127.0.0.1", 0)
    plain = HttpClient(f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")
    with pytest.raises(Unreachable) as no_handshake:
        await plain.post({}, b"")
    listener.close()
    assert no_handshake.value.cause.startswith("tls: ")

    async def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    with pytest.raises(Unreachable) as no_name:
        await nobody.post({}, b"")
    assert no_name.value.cause == "dns: Name or service not known"
    assert await nobody.probe() == "dns: Name or service not known"


@pytest.mark.parametrize(
    "script",
    [
        ["close"],
        ["abort"],
        [b"HTTP/1.1 200 OK\r\ncontent-len", "close"],
        [b"no such protocol\r\n\r\n"],
        [b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nx-a: " + b"a" * HEAD_BYTES, b"a" * 10, "hang"],
        [b"HTTP/1.1 200 OK\r\n", *[b"x-a: b\r\n" * 2000] * 5, "hang"],
        [*[b"HTTP/1.1 100 Continue\r\n\r\n" * 1000] * 5, "hang"],
        [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok"],
        [b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\nok"],
    ],
)
async def test_an_answer_that_never_begins_is_a_lost_connection(
    client: Any, server: Any, script: Any
) -> None:
    server.scripts = [script]

    with pytest.raises(ConnectionLost):
        await client.post({}, b"")
    assert len(server.requests) == 1


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_an_answer_that_breaks_off_gives_what_has_come_and_then_says_so(
    client: Any, server: Any, end: Any
) -> None:
    server.scripts = [[chunked(b"one ", end=False), end]]
    answer = await client.post({}, b"")

    assert await answer.read() == b"one "
    with pytest.raises(ConnectionLost):
        await answer.read()
    assert answer.closed


async def test_an_answer_that_is_closed_early_cuts_its_connection(client: Any, server: Any) -> None:
    server.scripts = [[chunked(b"one ", end=False), "hang"]]
    answer = await client.post({}, b"")

    answer.close()
    answer.close()

    await asyncio.wait_for(server.gone.wait(), PATIENCE_SECONDS)
    assert repr(client).endswith("0 connections>")


async def test_giving_up_on_the_head_cuts_the_connection(client: Any, server: Any) -> None:
    server.scripts = [["hang"]]

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await client.post({}, b"")

    await asyncio.wait_for(server.gone.wait(), PATIENCE_SECONDS)


async def test_a_reader_that_does_not_read_holds_upstream_back(client: Any, server: Any) -> None:
    piece = b"x" * 65536
    endless = b"%x\r\n%b\r\n" % (len(piece), piece)
    server.scripts = [[HEAD_CHUNKED, *[endless] * 300, b"0\r\n\r\n"]]
    answer = await client.post({}, b"")
    await asyncio.sleep(0.3)

    held = answer._size
    await asyncio.sleep(0.1)

    assert answer._size == held
    assert HIGH_WATER < held < 20 * HIGH_WATER
    assert len(await read_all(answer)) == 300 * len(piece)


async def test_a_request_that_was_answered_before_it_was_sent_ends_its_connection(
    client: Any, server: Any
) -> None:
    async def answer_at_once(reader: Any, writer: Any) -> None:
        server.connections.append(writer)
        writer.write(WHOLE)
        await asyncio.sleep(1)

    listener = await asyncio.start_server(answer_at_once, "127.0.0.1", 0)
    eager = HttpClient(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")

    answer = await eager.post({}, b"x" * 50_000_000)

    assert await read_all(answer) == b"ok"
    assert eager._idle == []
    eager.close()
    listener.close()


async def test_connections_that_are_idle_for_long_are_closed(client: Any, server: Any) -> None:
    await read_all(await client.post({}, b""))
    for _ in range(IDLE_BEATS):
        client.tick()
    assert len(client._idle) == 1

    client.tick()

    await asyncio.wait_for(server.gone.wait(), PATIENCE_SECONDS)
    assert client._idle == []


async def test_a_chunk_that_is_none_breaks_the_answer_off(client: Any, server: Any) -> None:
    for chunk in (b"ffffffffffffffffff\r\nx", b"-1\r\nx", b"zz\r\nx", b"2\r\nabc\r\n", b"2\nab"):
        server.scripts = [[HEAD_CHUNKED, b"3\r\none\r\n", chunk, "hang"]]
        answer = await client.post({}, b"")

        with pytest.raises(ConnectionLost):
            await read_all(answer)


async def test_of_several_addresses_the_one_that_answers_is_spoken_to(
    client: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, look_up = asyncio.get_running_loop(), asyncio.get_running_loop().getaddrinfo

    async def dead_first(host: Any, port: Any, **fields: Any) -> Any:
        [place] = await look_up(host, port, **fields)
        # A documentation network: nothing there ever answers, or the network is refused at once.
        return [(*place[:4], ("192.0.2.1", port)), place]

    monkeypatch.setattr(loop, "getaddrinfo", dead_first)

    assert await read_all(await client.post({}, b"")) == b"ok"


@pytest.mark.parametrize("host", ["127.0.0.1:9", "no.such.host.invalid"])
async def test_where_nobody_listens_it_says_so(host: Any) -> None:
    with pytest.raises(Unreachable):
        await HttpClient(f"http://{host}/").post({}, b"")


async def test_a_server_that_cannot_be_trusted_is_not_spoken_to(server: Any) -> None:
    with pytest.raises(Unreachable):
        await HttpClient(f"https://127.0.0.1:{server.port}/").post({}, b"")


@pytest.mark.parametrize("value", ["a\r\nx-evil: b", "a\nb", "a\rb"])
async def test_a_header_cannot_bring_another_one(client: Any, value: Any) -> None:
    with pytest.raises(ValueError, match="line break"):
        await client.post({"x-a": value}, b"")


class Vault:
    """An https server with a certificate of its own authority, and what it was told."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.authority = Authority(folder)
        self.scripts: list[Any] = []
        self.connections: list[Any] = []
        self.agreed: list[Any] = []

    async def serve(self, reader: Any, writer: Any) -> None:
        self.connections.append(writer)
        self.agreed.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                for step in self.scripts.pop(0) if self.scripts else [WHOLE]:
                    if step in {"abort", "close"}:
                        getattr(writer.transport, step)()
                        return
                    writer.write(step)
                    await writer.drain()

    async def ask(self, *, tls: Any = None, host: str = "localhost", server: Any = None) -> Any:
        """What a client of this server reads, once for each script."""
        context = server or self.authority.server()
        context.set_alpn_protocols(["h2", "http/1.1"])
        listener = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=context)
        client = HttpClient(f"https://{host}:{listener.sockets[0].getsockname()[1]}/", tls=tls)
        try:
            times = max(1, len(self.scripts))
            return [await read_all(await client.post({}, b"x" * 70_000)) for _ in range(times)]
        finally:
            client.close()
            listener.close()
            for writer in self.connections:
                writer.transport.abort()
            await asyncio.sleep(0)


LOOPS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run])


@LOOPS
def test_a_server_of_a_trusted_authority_is_spoken_to(run: Any, tmp_path: pathlib.Path) -> None:
    vault = Vault(tmp_path)
    vault.scripts = [[WHOLE], [chunked(b"one ", b"two")], [b"HTTP/1.1 200 OK\r\n\r\nall", "close"]]

    assert run(vault.ask(tls=vault.authority.client())) == [b"ok", b"one two", b"all"]
    assert len(vault.connections) == 1
    assert vault.agreed == [None]


@LOOPS
def test_a_kept_tls_connection_that_turns_out_dead_is_told_apart(
    run: Any, tmp_path: pathlib.Path
) -> None:
    for end in ("close", "abort"):
        vault = Vault(tmp_path)
        vault.scripts = [[WHOLE], [end], [WHOLE]]

        with pytest.raises(StaleConnection):
            run(vault.ask(tls=vault.authority.client()))
        assert len(vault.connections) == 1


@LOOPS
def test_a_tls_answer_that_breaks_off_says_so(run: Any, tmp_path: pathlib.Path) -> None:
    for end in ("close", "abort"):
        vault = Vault(tmp_path)
        vault.scripts = [[chunked(b"one ", end=False), end]]

        with pytest.raises(ConnectionLost):
            run(vault.ask(tls=vault.authority.client()))


@LOOPS
@pytest.mark.parametrize("wrong", ["name", "date", "authority", "store"])
def test_a_server_that_is_not_who_it_says_is_not_spoken_to(
    run: Any, wrong: Any, tmp_path: pathlib.Path
) -> None:
    vault = Vault(tmp_path)
    client, server = vault.authority.client(), vault.authority.server()
    if wrong == "name":
        server = vault.authority.server(names=("example.com", "127.0.0.2"))
    elif wrong == "date":
        server = vault.authority.server(days=-1)
    elif wrong == "authority":
        (tmp_path / "other").mkdir()
        client = Authority(tmp_path / "other").client()

    with pytest.raises(Unreachable):
        run(vault.ask(tls=None if wrong == "store" else client, server=server))
    assert vault.scripts == vault.connections == []


@LOOPS
def test_an_authority_of_ones_own_is_trusted_by_the_environment(
    run: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(vault.authority.path))

    assert run(vault.ask()) == [b"ok"]
    assert vault.agreed == ["http/1.1"]


async def test_a_connection_that_ended_before_the_request_was_sent_is_lost_at_once(
    client: Any, server: Any
) -> None:
    connection = await client._connect()
    connection.abort()
    while client._all:
        await asyncio.sleep(0)

    answer = connection.send(b"POST / HTTP/1.1\r\n\r\n", b"")

    with pytest.raises(ConnectionLost):
        await asyncio.wait_for(answer.head(), PATIENCE_SECONDS)


async def test_a_closed_client_sends_nothing_more(client: Any, server: Any) -> None:
    client.close()

    with pytest.raises(Unreachable):
        await client.post({}, b"")
    assert server.requests == []
