"""Where accounts give only so many answers at a time, keys take turns and nobody drains the pool."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from support.gateways import a_chat, events_of, reading, stage
from support.slots import slots_in_use

from codex_proapi.commons.redis import keyspace

HELD = "[[fault:silent silence=3600]] say held"
"""What holds a slot until its client leaves, or the backend hurries."""


@pytest.fixture
async def team(redis_url: str) -> AsyncIterator[Any]:
    async with stage(redis_url, "ada", account_streams=2) as made:
        await made.add_replica(account_streams=2)
        yield made


async def ask(team: Any, secret: str, content: str, *, replica: int = 0) -> httpx.Response:
    found = await team.client.post(
        f"{team.replicas[replica].url}/v1/chat/completions",
        json=a_chat(content),
        headers={"authorization": f"Bearer {secret}"},
    )
    assert isinstance(found, httpx.Response)
    return found


async def held(team: Any, count: int) -> None:
    while len(await slots_in_use(team.redis)) != count:
        await asyncio.sleep(0.01)


async def queued(team: Any, count: int) -> None:
    while await team.redis.hlen(keyspace.queue()) != count:
        await asyncio.sleep(0.01)


async def test_a_greedy_key_does_not_keep_a_calm_one_waiting(team: Any) -> None:
    _, greedy = await team.make_key()
    _, calm = await team.make_key()
    first = [asyncio.ensure_future(ask(team, greedy, HELD, replica=n)) for n in range(2)]
    await held(team, 2)
    crowd = [asyncio.ensure_future(ask(team, greedy, f"say {n}", replica=n % 2)) for n in range(6)]
    await queued(team, 6)
    answer = asyncio.ensure_future(ask(team, calm, "say calm", replica=1))
    await queued(team, 7)

    first[0].cancel()  # one slot comes free
    assert (await answer).status_code == 200
    team.sim.hurry()
    everybody = await asyncio.gather(first[1], *crowd)

    assert {each.status_code for each in everybody} == {200}
    assert "say calm" in str(team.sim.turns[2].body), "it was served with the first slot"
    await held(team, 0)


async def test_a_waiting_request_goes_on_the_moment_a_slot_is_free(team: Any) -> None:
    _, secret = await team.make_key()
    headers = {"authorization": f"Bearer {secret}"}
    body = a_chat("[[fault:slow pace=0.2]] write 900 words", stream=True)
    async with (
        reading(team.replicas[0], "/v1/chat/completions", body, **headers) as first,
        reading(team.replicas[0], "/v1/chat/completions", body, **headers) as second,
    ):
        await first.content.readline()
        await second.content.readline()
        waiting = asyncio.ensure_future(ask(team, secret, "say hello", replica=1))
        await queued(team, 1)
        first.close()
        answer = await waiting
        assert not second.content.at_eof(), "it took the slot of who left, not of who was done"

    assert answer.status_code == 200
    [record] = [each for each in await team.records(3) if each.ending == "whole"]
    assert record.attempts[0].why.startswith("waited ")


async def test_a_client_that_goes_away_while_it_waits_takes_no_slot(team: Any) -> None:
    _, secret = await team.make_key()
    crowd = [asyncio.ensure_future(ask(team, secret, HELD)) for _ in range(2)]
    await held(team, 2)
    gone = asyncio.ensure_future(ask(team, secret, "say hello", replica=1))
    await queued(team, 1)

    gone.cancel()

    await queued(team, 0)
    team.sim.hurry()
    await asyncio.gather(*crowd)
    await held(team, 0)
    assert len(team.sim.turns) == 2


async def test_a_wait_for_a_slot_that_ends_behind_an_early_200_ends_it_with_the_refusal(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codex_proapi.gateway.pool.queueing_selector.QUEUE_SECONDS", 6.0)
    async with stage(redis_url, "ada", account_streams=1, commit_patience=1) as play:
        body = a_chat("[[fault:slow pace=0.2]] write 200 words", stream=True)
        async with reading(play.replicas[0], "/v1/chat/completions", body) as first:
            await first.content.readline()

            waited = await play.chat(stream=True)

        assert waited.status_code == 200
        assert waited.text.startswith(":"), "it was kept alive"
        events = events_of(waited.content)
        assert events[-1]["error"]["code"] == "rate_limit_exceeded"
        record = (await play.logged(waited.headers["x-request-id"])).exchange
        assert record is not None
        assert not record.attempts
        assert (record.status, record.ending.value) == (200, "broken")
        assert record.code == "rate_limit_exceeded"
