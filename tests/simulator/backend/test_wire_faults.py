"""Faults of the wire and of the protocol that real servers were seen to have, as a client meets them."""

import asyncio
import contextlib
from typing import Any

import httpx
import pytest
from support.requests_upstream import a_turn, events_of

from codex_proapi.simulator import Simulator
from codex_proapi.simulator.state.faults import NAMED


class Connection:
    """One connection that sends requests and shows the bytes of answers as they come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, sim: Simulator) -> None:
        body = httpx.Request("POST", "http://x/", json=a_turn("count to 3")).content
        head = "POST /backend-api/codex/responses HTTP/1.1\r\nhost: x\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in sim.headers("ada").items())
        self.writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)

    async def until(self, end: bytes) -> bytes:
        return await self.reader.readuntil(end)


@contextlib.asynccontextmanager
async def connected(sim: Simulator) -> Any:
    reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


async def test_the_end_of_the_body_may_come_late(sim: Simulator) -> None:
    sim.script("late_end", end_delay=3600)
    async with connected(sim) as connection:
        await connection.ask(sim)
        answer = await connection.until(b"event: response.completed\ndata: ")
        answer = await connection.until(b"\n\n")
        # The event is whole and its chunk too; the last chunk is not there for an hour.
        assert await connection.until(b"\r\n") == b"\r\n"
        assert answer.startswith(b"{")
        assert sim.turns[-1].ending == ""
    while not sim.turns[-1].ending:
        await asyncio.sleep(0)
    assert sim.turns[-1].ending == "whole"


async def test_the_head_may_wait_for_the_first_delta(sim: Simulator) -> None:
    sim.script("late_head", silence=3600)
    async with connected(sim) as connection:
        await connection.ask(sim)
        while not sim.turns:
            await asyncio.sleep(0)
        assert connection.reader._buffer == bytearray()
        assert sim.turns[-1].status == 0


async def test_a_kept_connection_may_be_closed_while_it_is_idle(sim: Simulator) -> None:
    sim.script("idle_close")
    async with connected(sim) as connection:
        await connection.ask(sim)
        head = await connection.until(b"\r\n\r\n")
        assert b"connection: close" not in head.lower()
        await connection.until(b"\r\n0\r\n\r\n")
        assert await connection.reader.read() == b""


async def test_connections_may_be_refused_and_taken_again(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    await sim.refuse_connections()
    with pytest.raises(httpx.ConnectError):
        await http.get(f"{sim.base_url}/models")

    await sim.accept_connections()

    assert (await http.get(f"{sim.base_url}/models")).status_code == 401


async def test_a_body_may_be_left_unread(sim: Simulator, http: httpx.AsyncClient) -> None:
    sim.script("connection_reset", on="upload")

    with pytest.raises(httpx.TransportError):
        await http.post(
            f"{sim.base_url}/responses", headers=sim.headers("ada"), json=a_turn("hello")
        )

    assert sim.turns[-1].body is None
    assert sim.turns[-1].ending == "dropped"


@pytest.mark.parametrize("name", [name for name in NAMED if name.startswith(("bare_", "json_"))])
async def test_a_status_may_come_without_any_reason(
    sim: Simulator, http: httpx.AsyncClient, name: str
) -> None:
    sim.script(name)

    answer = await turn(http, sim)

    assert answer.status_code == int(name[-3:])
    assert answer.content == (b"" if name.startswith("bare") else b"{}")


@pytest.mark.parametrize("name", ["html_402", "html_403", "html_404", "html_502", "challenge_200"])
async def test_a_page_may_stand_where_an_answer_belongs(
    sim: Simulator, http: httpx.AsyncClient, name: str
) -> None:
    sim.script(name)

    answer = await turn(http, sim)

    assert answer.status_code == int(name[-3:])
    assert answer.headers["content-type"].startswith("text/html")
    assert "<html" in answer.text


async def turn(http: httpx.AsyncClient, sim: Simulator) -> httpx.Response:
    return await http.post(
        f"{sim.base_url}/responses", headers=sim.headers("ada"), json=a_turn("count to 3")
    )


async def test_finished_items_may_have_other_ids(sim: Simulator, http: httpx.AsyncClient) -> None:
    sim.script("other_ids")

    events = events_of((await turn(http, sim)).content)

    ids = {
        kind: [e["item"]["id"] for e in events if e["type"] == f"response.output_item.{kind}"]
        for kind in ("added", "done")
    }
    assert ids["added"]
    assert not set(ids["added"]) & set(ids["done"])


async def test_events_of_unknown_types_may_be_mixed_in(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    whole = events_of((await turn(http, sim)).content)
    sim.script("unknown_events")

    events = events_of((await turn(http, sim)).content)

    unknown = [e for e in events if e["type"] == "response.future_thing.delta"]
    assert len(unknown) == len(whole) - 1
    assert events[-1]["type"] == "response.completed"


@pytest.mark.parametrize(
    ("quota", "in_head", "place"),
    [
        ("both", True, "early"),
        ("headers", True, None),
        ("event", False, "early"),
        ("late", False, "late"),
        ("none", False, None),
    ],
)
async def test_the_quota_may_be_told_early_late_or_not(
    sim: Simulator, http: httpx.AsyncClient, quota: str, in_head: bool, place: str | None
) -> None:
    sim.script("quota_late", quota=quota)

    answer = await turn(http, sim)

    kinds = [event["type"] for event in events_of(answer.content)]
    told = [index for index, kind in enumerate(kinds) if kind == "codex.rate_limits"]
    expected = {"early": [1], "late": [len(kinds) - 2], None: []}[place]
    assert told == expected
    assert ("x-codex-primary-used-percent" in answer.headers) == in_head


async def test_the_token_endpoint_may_fail_once(sim: Simulator, http: httpx.AsyncClient) -> None:
    sim.script("token_error", on="token")
    form = {
        "client_id": "app_EMoamEEZ73f0CkXaXp7hrann",
        "grant_type": "refresh_token",
        "refresh_token": sim.auth_json("ada")["tokens"]["refresh_token"],
    }

    answers = [await http.post(f"{sim.auth_url}/oauth/token", json=form) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [500, 200]
