"""Five replicas while logins are renewed slowly, by a replica that died, or cannot be."""

import asyncio
from typing import Any

import httpx
from support.gateways import PATIENCE_SECONDS, Stage, a_chat, stage

from codex_proapi.commons.accounts.refresh_pace import Pace
from codex_proapi.commons.redis import keyspace
from codex_proapi.gateway.exchange.answer import response_writer
from codex_proapi.simulator.state.faults import Fault

NAMES = ("ada", "ben")
NOBODY = "http://127.0.0.1:9"
"""An address where nobody listens."""


async def ask(play: Stage, replica: int, content: str) -> httpx.Response:
    return await play.client.post(
        f"{play.replicas[replica].url}/v1/chat/completions", json=a_chat(content)
    )


async def everywhere(play: Stage, count: int, word: str) -> list[httpx.Response]:
    return await asyncio.gather(*(ask(play, n % 5, f"say {word}{n}") for n in range(count)))


async def five(play: Stage, **last: Any) -> None:
    for number in range(2, 6):
        await play.add_replica(**(last if number == 5 else {}))


def be_impatient(play: Stage, monkeypatch: Any) -> None:
    """Requests wait a moment for a renewal, not fifteen seconds and ten more."""
    monkeypatch.setattr(response_writer, "LONGEST_WAIT", 0.5)
    for replica in play.replicas:
        replica.gateway.upstream.refresher._pace = Pace(patience=0.3)


def told_to_wait(answer: httpx.Response) -> bool:
    """Whether an answer says that a wait of seconds helps, and does not call for a person."""
    return (
        answer.status_code == 503
        and answer.json()["error"]["code"] != "no_accounts"
        and 1 <= int(answer.headers["retry-after"]) <= 15
        and answer.headers.get("x-should-retry") != "false"
    )


async def until_served(play: Stage, word: str) -> httpx.Response:
    """The first answer, asked for again as long as one is told to wait."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while told_to_wait(answer := await ask(play, 1, f"say {word}")):
            await asyncio.sleep(0.05)
    return answer


async def test_while_logins_are_renewed_slowly_clients_are_told_to_wait_and_then_served(
    redis_url: str, monkeypatch: Any
) -> None:
    async with stage(redis_url) as play:
        play.sim.script(Fault(delay=3.0), on="token", times=None)
        await play.log_in(*NAMES, expires_in=-60)
        await five(play)
        be_impatient(play, monkeypatch)

        early = await everywhere(play, 10, "early")
        late = await until_served(play, "late")

        assert all(answer.status_code == 200 or told_to_wait(answer) for answer in early)
        assert late.status_code == 200
        assert len(play.sim.token_calls) <= len(NAMES)


async def test_a_lock_that_a_dead_replica_held_costs_its_lifetime_and_no_login(
    redis_url: str, monkeypatch: Any
) -> None:
    async with stage(redis_url) as play:
        ids = await play.log_in(*NAMES, expires_in=-60)
        for account_id in ids:
            await play.redis.set(keyspace.refresh_lock(account_id), "dead", ex=3600)
        await five(play)
        be_impatient(play, monkeypatch)

        early = await everywhere(play, 5, "early")
        assert all(map(told_to_wait, early)), [answer.text for answer in early]
        assert not play.sim.token_calls
        for account_id in ids:
            await play.redis.delete(keyspace.refresh_lock(account_id))
        late = await until_served(play, "late")

        assert late.status_code == 200
        assert len(play.sim.token_calls) <= len(NAMES)


async def test_one_failure_of_the_token_endpoint_is_waited_for_by_every_request(
    redis_url: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(response_writer, "LONGEST_WAIT", PATIENCE_SECONDS)
    async with stage(redis_url) as play:
        play.sim.script("bad_gateway", on="token", times=1)
        await play.log_in("ada", expires_in=-60)
        await five(play)

        answers = await everywhere(play, 10, "patient")

        assert {answer.status_code for answer in answers} == {200}
        assert len(play.sim.token_calls) == 2


async def test_a_replica_without_a_way_to_the_token_endpoint_takes_no_account_from_the_others(
    redis_url: str, monkeypatch: Any
) -> None:
    async with stage(redis_url) as play:
        await five(play, codex_auth_url=NOBODY)
        await play.log_in(*NAMES, expires_in=-60)
        monkeypatch.setattr(response_writer, "LONGEST_WAIT", 0.5)

        blind = [await ask(play, 4, f"say blind{n}") for n in range(3)]

        # One of the others may have renewed them in the background by now.
        assert all(answer.status_code == 200 or told_to_wait(answer) for answer in blind)
        await play.until_cooling({})
        paused = [
            await play.redis.exists(keyspace.refresh_pause(account.id))
            for account in await play.accounts.list()
        ]
        assert not any(paused)
        seeing = [await ask(play, n, f"say seeing{n}") for n in range(4)]
        assert [answer.status_code for answer in seeing] == [200] * 4

        assert (await ask(play, 4, "say after")).status_code == 200, "another has renewed them"
