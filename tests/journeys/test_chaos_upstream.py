"""Five replicas while the backend fails for everybody, for one replica, or in silence."""

import asyncio
import time
from typing import Any

import httpx
import msgspec
import pytest
from support.gateways import PATIENCE_SECONDS, Stage, a_chat, stage

from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.gateway.pool.health import circuit_breakers

NAMES = ("ada", "ben", "cleo")
NOBODY = "http://127.0.0.1:9"
"""An address where nobody listens."""


async def five(play: Stage, **last: Any) -> None:
    """Five replicas; `last` are settings of the fifth."""
    for number in range(2, 6):
        await play.add_replica(**(last if number == 5 else {}))


async def ask(play: Stage, replica: int, content: str, conversation: str = "") -> httpx.Response:
    headers = {"x-session-id": conversation} if conversation else {}
    return await play.client.post(
        f"{play.replicas[replica].url}/v1/chat/completions", json=a_chat(content), headers=headers
    )


async def account_of(play: Stage, replica: int, conversation: str) -> str | None:
    """The account that answers a conversation's next turn."""
    answer = await ask(play, replica % 5, f"say turn{replica}", conversation)
    assert answer.status_code == 200
    return play.sim.turns[-1].account


async def everywhere(play: Stage, count: int, word: str) -> list[httpx.Response]:
    """New conversations on all replicas at once."""
    return await asyncio.gather(*(ask(play, n % 5, f"say {word}{n}") for n in range(count)))


async def cooldowns(play: Stage) -> dict[str, Cooldown]:
    """The cooldowns of whole accounts by the accounts' ids."""
    ids = [account.id for account in await play.accounts.list()]
    found = await play.cooldowns.all(ids, now=time.time())
    return {account_id: by_model[""] for account_id, by_model in found.items()}


async def end_of(play: Stage, cooling: dict[str, Cooldown]) -> None:
    """Let cooldowns end as if their time had passed."""
    for account_id, cooldown in cooling.items():
        ended = Cooldown(until=time.time() - 1, reason=cooldown.reason, since=cooldown.since)
        await play.cooldowns.cool(account_id, ended)


async def until_served(play: Stage, replica: int) -> None:
    """Ask a replica until it answers."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await ask(play, replica, "say probe")).status_code != 200:
            await asyncio.sleep(0.05)


async def ready(play: Stage) -> list[int]:
    """The statuses of all replicas' /readyz."""
    answers = [await play.client.get(f"{each.url}/readyz") for each in play.replicas]
    return [answer.status_code for answer in answers]


async def test_a_blip_opens_each_breaker_once_and_conversations_come_home_afterwards(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit_breakers, "FIRST_SECONDS", 1000.0)
    monkeypatch.setattr(circuit_breakers, "MOST_SECONDS", 10_000.0)
    async with stage(redis_url, *NAMES) as play:
        await five(play)
        conversations = [f"conversation {n}" for n in range(6)]
        home = [await account_of(play, n, each) for n, each in enumerate(conversations)]
        await play.until(lambda: not any(r.gateway.stores.ledger for r in play.replicas))
        play.sim.script("connection_reset", times=None)

        opened: dict[str, Cooldown] = {}
        for rounds in range(60):
            await everywhere(play, 40, f"blip{rounds}")
            opened = await cooldowns(play)
            if opened:
                break
        await everywhere(play, 40, "more")
        after = await cooldowns(play)

        assert opened
        assert all(after[account_id] == cooldown for account_id, cooldown in opened.items())
        for cooldown in after.values():
            assert cooldown.reason is CooldownReason.TRANSIENT
            assert round(cooldown.until - cooldown.since) == 1000, "once, not twice as long"

        play.sim.clear()
        good = await everywhere(play, 10, "back")
        assert [answer.status_code for answer in good] == [200] * 10
        await play.until(lambda: not any(r.gateway.stores.ledger for r in play.replicas))
        await end_of(play, await cooldowns(play))
        back = [await account_of(play, n + 1, each) for n, each in enumerate(conversations)]

        assert back == home


async def test_a_replica_without_a_way_to_the_backend_takes_no_account_from_the_others(
    redis_url: str,
) -> None:
    async with stage(redis_url, *NAMES) as play:
        await five(play, codex_base_url=f"{NOBODY}/backend-api/codex")

        blind = [await ask(play, 4, f"say blind{n}") for n in range(12)]
        seeing = [await ask(play, n % 4, f"say seeing{n}") for n in range(12)]

        assert {answer.status_code for answer in blind} <= {502, 503}
        assert "no_accounts" not in "".join(answer.text for answer in blind)
        assert [answer.status_code for answer in seeing] == [200] * 12
        await play.until_cooling({})
        assert all(play.asked(name) for name in NAMES)
        async with asyncio.timeout(PATIENCE_SECONDS):  # it learns that others do reach it
            while await ready(play) != [200, 200, 200, 200, 503]:
                await asyncio.sleep(0.05)


async def test_a_silent_backend_is_waited_for_once_however_many_accounts_there_are(
    redis_url: str,
) -> None:
    async with stage(redis_url, *NAMES) as play:
        await five(play)
        for replica in play.replicas:
            dispatcher = replica.gateway.pool.dispatcher
            dispatcher.context = msgspec.structs.replace(dispatcher.context, silence=3.0)
        play.sim.script("silent", times=None, silence=600)

        answers = await everywhere(play, 5, "hush")

        assert {answer.status_code for answer in answers} == {504}
        assert {answer.json()["error"]["code"] for answer in answers} == {"upstream_timeout"}
        assert len(play.sim.turns) <= 5, "each request was sent, and paid for, once"


async def test_a_challenge_page_pauses_all_replicas_only_when_several_in_a_row_say_so(
    redis_url: str,
) -> None:
    async with stage(redis_url, *NAMES) as play:
        await five(play)
        egresses = [replica.gateway.upstream.egress for replica in play.replicas]
        play.sim.script("cloudflare", times=1)
        assert (await ask(play, 0, "say once")).status_code == 200
        assert not any(egress.paused for egress in egresses)

        play.sim.script("cloudflare", times=None)
        for _ in range(2):
            assert (await ask(play, 0, "say refused")).status_code == 503
        await play.until(lambda: all(egress.paused for egress in egresses))
        asked = len(play.sim.turns)
        answers = await everywhere(play, 5, "paused")

        assert {answer.status_code for answer in answers} == {503}
        assert all(int(answer.headers.get("retry-after", 1)) <= 60 for answer in answers)
        assert len(play.sim.turns) <= asked + 5, "at most one probe of each replica"
        await play.until_cooling({})

        play.sim.clear()
        await until_served(play, 1)
        await play.until(lambda: not any(egress.paused for egress in egresses))
