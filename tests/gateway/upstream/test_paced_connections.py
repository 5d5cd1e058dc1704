"""New connections to a backend whose edge turns bursts away, over real sockets."""

import asyncio
from typing import Any

import pytest
from support.gateways import PATIENCE_SECONDS
from support.scripted_servers import WHOLE, chunked, read_all

from codex_proapi.commons.connections import pace as pace_module
from codex_proapi.commons.connections.dialer import Unreachable
from codex_proapi.commons.connections.outgoing import Outgoing
from codex_proapi.gateway.upstream import connection_pool, idle_connections
from codex_proapi.gateway.upstream.connection_pool import HttpClient

PAGE = b"HTTP/1.1 403 Forbidden\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\npage"
JSON = b"HTTP/1.1 429 No\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


@pytest.fixture
def pace(client: Any) -> Any:
    return client._dialer.pace


async def test_a_page_over_a_new_connection_slows_the_next_ones_down(
    client: Any, server: Any, pace: Any
) -> None:
    server.scripts = [[JSON], [PAGE], [PAGE]]
    first = await client.post({}, b"")
    assert (await read_all(first), pace.gap) == (b"{}", 0.0)

    kept = await client.post({}, b"")
    assert (await read_all(kept), pace.gap) == (b"page", 0.0), "a kept one is no burst"

    fresh = await client.post({}, b"", new_connection=True)
    assert (await read_all(fresh), pace.gap) == (b"page", pace_module.FIRST_GAP)


async def test_a_request_that_may_open_no_connection_takes_the_one_that_comes_free(
    client: Any, server: Any, pace: Any
) -> None:
    server.scripts = [[chunked(b"ok", end=False)], [WHOLE]]
    busy = await client.post({}, b"")
    pace.refused(by_edge=True)

    waiting = asyncio.ensure_future(client.post({}, b"next"))
    while not pace.waiting:
        await asyncio.sleep(0)
    server.connections[0].write(b"0\r\n\r\n")
    assert await read_all(busy) == b"ok"

    assert await read_all(await asyncio.wait_for(waiting, PATIENCE_SECONDS)) == b"ok"
    assert [number for number, _, _ in server.requests] == [0, 0]


async def test_a_burst_opens_a_few_connections_at_a_time(
    client: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace = client._dialer.pace
    for _ in range(5):
        pace.refused(by_edge=False)
    seen = []

    async def connect(protocol: Any, *, begun: bool) -> Any:
        seen.append((pace._begun, pace.most))
        return await dial(protocol, begun=begun)

    dial = client._dialer.connect
    monkeypatch.setattr(client._dialer, "connect", connect)

    answers = await asyncio.gather(*[client.post({}, b"") for _ in range(40)])

    assert [await read_all(answer) for answer in answers] == [b"ok"] * 40
    assert all(begun <= most for begun, most in seen)
    assert max(begun for begun, most in seen if most == pace_module.LEAST_AT_ONCE) <= 4
    assert pace._begun == 0


async def test_waiting_for_ones_turn_has_an_end(
    client: Any, server: Any, pace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_pool, "TURN_SECONDS", 0.01)
    for _ in range(4):
        pace.refused(by_edge=True)

    with pytest.raises(Unreachable) as refused:
        await client.post({}, b"")

    assert refused.value.cause == "timeout: turn"
    assert server.connections == []


async def test_who_leaves_while_waiting_leaves_nothing_behind(
    client: Any, server: Any, pace: Any
) -> None:
    pace.refused(by_edge=True)
    waiting = [asyncio.ensure_future(client.post({}, b"")) for _ in range(3)]
    while pace.waiting < 3:
        await asyncio.sleep(0)
    for each in waiting:
        each.cancel()
    await asyncio.wait(waiting)
    for _ in range(pace_module.RELAXED):
        pace.answered()

    assert await read_all(await client.post({}, b"")) == b"ok"
    assert pace._begun == 0


async def test_clients_of_one_host_share_its_pace(server: Any) -> None:
    outgoing = Outgoing()
    url = f"http://127.0.0.1:{server.port}"
    clients = [HttpClient(f"{url}/{path}", outgoing=outgoing) for path in ("a", "b")]
    server.scripts = [[PAGE]]

    await read_all(await clients[0].post({}, b""))

    assert clients[1]._dialer.pace.gap == pace_module.FIRST_GAP
    for each in clients:
        each.close()
    await asyncio.sleep(0)


async def test_a_late_last_chunk_costs_no_further_connection(client: Any, server: Any) -> None:
    for _ in range(5):
        server.scripts.append([chunked(b"data: done\n\n", end=False)])
    for number in range(5):
        answer = await client.post({}, b"")
        assert await answer.read() == b"data: done\n\n"
        answer.ending()
        asyncio.get_running_loop().call_later(0.02, server.connections[0].write, b"0\r\n\r\n")
        assert len(server.requests) == number + 1

    assert len(server.connections) == 1


async def test_an_old_connection_is_not_used_again(
    client: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle_connections, "MOST_AGE_SECONDS", -1.0)
    for _ in range(2):
        await read_all(await client.post({}, b""))

    assert len(server.connections) == 2
