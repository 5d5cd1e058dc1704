"""Connections that die, hang, break off or are given up: what is told, and what is not repeated."""

import asyncio
from typing import Any

import pytest
from support.gateways import PATIENCE_SECONDS
from support.scripted_servers import HEAD_CHUNKED, WHOLE, chunked, read_all

from codex_proapi.gateway.upstream.connection_pool import (
    HttpClient,
)
from codex_proapi.gateway.upstream.http_response import HEAD_BYTES, ConnectionLost, StaleConnection


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

    asking = asyncio.ensure_future(client.post({}, b""))
    while not server.requests:
        await asyncio.sleep(0.005)
    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(server.gone.wait(), PATIENCE_SECONDS)


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
    assert len(eager.idle) == 0
    eager.close()
    listener.close()


async def test_a_chunk_that_is_none_breaks_the_answer_off(client: Any, server: Any) -> None:
    for chunk in (b"ffffffffffffffffff\r\nx", b"-1\r\nx", b"zz\r\nx", b"2\r\nabc\r\n", b"2\nab"):
        server.scripts = [[HEAD_CHUNKED, b"3\r\none\r\n", chunk, "hang"]]
        answer = await client.post({}, b"")

        with pytest.raises(ConnectionLost):
            await read_all(answer)
