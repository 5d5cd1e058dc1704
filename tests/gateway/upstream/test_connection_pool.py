import asyncio
import socket
from typing import Any

import pytest
from support.gateways import PATIENCE_SECONDS
from support.scripted_servers import HEAD_CHUNKED, WHOLE, chunked, read_all

from codex_proapi.commons.connections.dialer import Unreachable
from codex_proapi.gateway.upstream.connection_pool import HttpClient
from codex_proapi.gateway.upstream.http_response import HIGH_WATER, ConnectionLost
from codex_proapi.gateway.upstream.idle_connections import IDLE_SECONDS


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


async def test_a_reader_that_does_not_read_holds_upstream_back(client: Any, server: Any) -> None:
    piece = b"x" * 65536
    endless = b"%x\r\n%b\r\n" % (len(piece), piece)
    server.scripts = [[HEAD_CHUNKED, *[endless] * 300, b"0\r\n\r\n"]]
    answer = await client.post({}, b"")
    while not next(iter(client._all)).paused:
        await asyncio.sleep(0.005)

    held = answer.size
    await asyncio.sleep(0.1)

    assert answer.size == held
    assert HIGH_WATER < held < 20 * HIGH_WATER
    assert len(await read_all(answer)) == 300 * len(piece)


async def test_connections_that_are_idle_for_long_are_closed(client: Any, server: Any) -> None:
    await read_all(await client.post({}, b""))
    for _ in range(IDLE_SECONDS):
        client.tick()
    assert len(client.idle) == 1

    client.tick()

    await asyncio.wait_for(server.gone.wait(), PATIENCE_SECONDS)
    assert len(client.idle) == 0


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


async def test_a_dead_path_is_noticed_by_the_system_and_not_by_an_answers_silence(
    server: Any, client: Any
) -> None:
    """TCP keep-alive finds a silent connection's dead path, TCP_USER_TIMEOUT a sent request's."""
    await read_all(await client.post({}, b""))
    (connection,) = client._all
    sock = connection._transport.get_extra_info("socket")

    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    options = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 20_000}
    for option, value in options.items():
        if hasattr(socket, option):
            assert sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, option)) == value, option
