"""Owners' terms on five gateways: nothing is begun against them, whatever is under way meanwhile."""

import asyncio
import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from support.gateways import Stage, stage
from support.sockets import CODEX, socket_to, text_of

from codex_proapi.commons.owner_terms.terms import DAYS, HoursSpan, OwnerTerms, ReservedPercent
from codex_proapi.commons.owner_terms.weekly_hours import WeeklyHours
from codex_proapi.commons.redis import keyspace
from codex_proapi.gateway.settings import TransportSetting
from codex_proapi.simulator import Simulator

REPLICAS = 5
CLIENTS = 8
PAUSED = OwnerTerms(paused=True)
HALF = OwnerTerms(reserved_percent=ReservedPercent(five_hour=50))


def other_days() -> tuple[str, ...]:
    """Days of which none is near, in any time zone."""
    today = dt.datetime.now(dt.UTC).weekday()
    return DAYS[(today + 3) % 7], DAYS[(today + 4) % 7]


async def ask(team: Stage, number: int, conversation: str = "", **fields: Any) -> httpx.Response:
    headers = fields.pop("headers", {})
    content = fields.pop("content", f"say hello {conversation}")
    body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": content}], **fields}
    url = f"{team.replicas[number % REPLICAS].url}/v1/chat/completions"
    return await team.client.post(url, json=body, headers=headers)


async def five(team: Stage) -> None:
    for _ in range(REPLICAS - 1):
        await team.add_replica()


async def storm(team: Stage, until: Callable[[], bool]) -> list[httpx.Response]:
    """Requests over all gateways, several at a time, until something is so."""
    answers: list[httpx.Response] = []

    async def client(number: int) -> None:
        while not until():
            answers.append(await ask(team, number, f"{number} {len(answers)}"))
            number += 1

    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(client(number))
    return answers


async def test_a_pause_holds_on_every_gateway_from_its_next_request_on(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as team:
        await five(team)
        accounts = {each.name: each.id for each in await team.accounts.list()}
        before = await asyncio.gather(*(ask(team, n, str(n)) for n in range(20)))
        assert {each.status_code for each in before} == {200}
        assert team.asked("ada") > 0

        await team.accounts.set_terms(accounts["ada"], PAUSED)
        asked = team.asked("ada")
        # The same conversations go on: those of the paused account move to the other one.
        after = await asyncio.gather(*(ask(team, n, str(n % 20)) for n in range(40)))
        assert {each.status_code for each in after} == {200}
        assert team.asked("ada") == asked

        await team.accounts.set_terms(accounts["ben"], PAUSED)
        refused = await asyncio.gather(*(ask(team, n, str(n)) for n in range(10)))
        assert {each.status_code for each in refused} == {503}
        error = refused[0].json()["error"]
        assert error["code"] == "accounts_closed"
        assert "paused by its owner" in error["message"]
        assert {each.headers["x-should-retry"] for each in refused} == {"false"}

        await team.accounts.set_terms(accounts["ada"], OwnerTerms())
        answer = await ask(team, 3)
        assert answer.status_code == 200
        record = (await team.logged(answer.headers["x-request-id"])).exchange
        assert record is not None
        assert f"{accounts['ben']} paused by its owner" in record.attempts[-1].why


async def test_a_pause_midway_begins_nothing_after_it_is_known(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as team:
        await five(team)
        accounts = {each.name: each.id for each in await team.accounts.list()}
        done = asyncio.Event()
        asking = asyncio.ensure_future(storm(team, done.is_set))
        await team.until(lambda: team.asked("ada") > 20)

        await team.accounts.set_terms(accounts["ada"], PAUSED)
        begun = len(team.sim.turns)
        await team.until(lambda: len(team.sim.turns) > begun + 60)
        done.set()
        answers = await asking

        assert {each.status_code for each in answers} == {200}
        late = [turn for turn in team.sim.turns[begun:] if turn.account == "ada"]
        assert len(late) <= CLIENTS, "of each client what was under way when it was paused"


async def test_a_share_is_kept_whichever_gateway_has_read_it(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as team:
        await five(team)
        ada, ben = team.sim.accounts[:2]
        ada.used_percent, ada.percent_per_request, ada.plan = 40.0, 1.0, "plus"
        ben.used_percent, ben.percent_per_request = 1.0, 0.0
        accounts = {each.name: each.id for each in await team.accounts.list()}
        assert (await ask(team, 0)).status_code == 200
        await team.accounts.set_terms(accounts["ada"], HALF)

        # One at a time, each on another gateway: nothing is under way, so nothing is begun below it.
        number = 0
        left: list[float] = []
        while ada.used_percent < 49.5 or number % REPLICAS:
            used = ada.used_percent
            asked = team.asked("ada")
            assert (await ask(team, number, f"one {number}")).status_code == 200
            if team.asked("ada") > asked:
                left.append(100 - used)
            number += 1
            assert number < 400
        for each in range(3 * REPLICAS):
            assert (await ask(team, each, f"more {each}")).status_code == 200
        assert left
        assert min(left) > 50
        assert int(ada.used_percent) == 50
        asked = team.asked("ada")
        answers = await asyncio.gather(*(ask(team, n, f"many {n}") for n in range(30)))
        assert {each.status_code for each in answers} == {200}
        assert team.asked("ada") == asked


async def test_hours_that_close_are_obeyed_and_an_opening_is_waited_for(redis_url: str) -> None:
    async with stage(redis_url, "ada") as team:
        await five(team)
        [account] = await team.accounts.list()
        near, _ = other_days()
        await team.accounts.set_terms(account.id, OwnerTerms(hours=(HoursSpan(days=(near,)),)))

        refused = await asyncio.gather(*(ask(team, n) for n in range(10)))

        assert {each.status_code for each in refused} == {503}
        opens = WeeklyHours("UTC", (HoursSpan(days=(near,)),)).next_change(time.time())
        when = dt.datetime.fromtimestamp(opens, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
        message = refused[0].json()["error"]["message"]
        assert message.endswith(f"is outside its owner's hours. The first one opens at {when}.")
        assert refused[0].headers["retry-after"] == "60"
        assert team.asked("ada") == 0
        exchange = (await team.records(10))[0]
        assert exchange.code == "accounts_closed"

        # Whoever waits for an account goes on as soon as the owner opens it.
        await team.accounts.set_terms(account.id, OwnerTerms())
        assert (await ask(team, 2)).status_code == 200


async def test_keys_of_a_group_have_an_account_that_others_have_not(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as team:
        await five(team)
        accounts = {each.name: each.id for each in await team.accounts.list()}
        (team_key, secret), (_, other) = await team.make_key(group="team"), await team.make_key()
        await team.accounts.set_terms(accounts["ada"], OwnerTerms(key_groups=("team",)))

        async def with_key(key: str, count: int) -> set[int]:
            headers = {"authorization": f"Bearer {key}"}
            found = await asyncio.gather(
                *(ask(team, n, f"{key} {n}", headers=headers) for n in range(count))
            )
            return {each.status_code for each in found}

        assert await with_key(other, 20) == {200}
        assert team.asked("ada") == 0
        assert await with_key(secret, 20) == {200}
        assert team.asked("ada") > 0

        # A group that is renamed is another one, from the next request on.
        await team.keys.patch(team_key.id, group="renamed")
        asked = team.asked("ada")
        assert await with_key(secret, 20) == {200}
        assert team.asked("ada") == asked
        await team.accounts.pause(accounts["ben"])
        assert await with_key(secret, 5) == {503}


async def test_a_fallback_serves_while_the_owners_of_a_model_have_closed(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben", model_fallbacks={"gpt-5.5": "gpt-6-luna"}) as team:
        accounts = {each.name: each.id for each in await team.accounts.list()}
        await team.until_polled()
        await team.accounts.set_terms(accounts["ada"], PAUSED)
        assert (await team.chat(model="gpt-5.5")).status_code == 200
        await team.accounts.set_terms(accounts["ben"], PAUSED)

        refused = await team.chat(model="gpt-5.5")

        # The fallback is asked for on accounts that are closed, too: they serve nothing.
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "accounts_closed")
        assert team.asked("ada") == 0


async def test_another_model_serves_where_only_closed_accounts_have_the_one_asked(
    redis_url: str,
) -> None:
    backend = Simulator()
    backend.account("ada").models, backend.account("ben").models = ("gpt-5.5",), ("gpt-6-luna",)
    fallbacks = {"gpt-5.5": "gpt-6-luna"}
    async with stage(redis_url, "ada", "ben", backend=backend, model_fallbacks=fallbacks) as team:
        accounts = {each.name: each.id for each in await team.accounts.list()}
        await team.until_polled()
        await team.accounts.set_terms(accounts["ada"], PAUSED)

        answer = await team.chat(model="gpt-5.5")

        assert answer.status_code == 200
        assert answer.headers["x-fallback-model"] == "gpt-6-luna"
        assert team.asked("ada") == 0


async def test_a_request_that_waits_for_a_slot_past_the_closing_is_not_begun(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada", account_streams=1) as team:
        [account] = await team.accounts.list()
        slow = asyncio.ensure_future(team.chat("[[fault:silent silence=3600]] say slow"))
        await team.until(lambda: team.asked("ada") == 1)
        waiting = [asyncio.ensure_future(team.chat(f"say hello {n}")) for n in range(3)]
        while await team.redis.hlen(keyspace.queue()) != len(waiting):
            await asyncio.sleep(0.01)

        await team.accounts.set_terms(account.id, PAUSED)
        team.sim.hurry()
        answers = await asyncio.gather(*waiting)

        assert (await slow).status_code == 200  # what is under way ends as it would
        assert {each.json()["error"]["code"] for each in answers} == {"accounts_closed"}
        assert team.asked("ada") == 1
        await team.until(lambda: not team.replicas[0].gateway.stores.queue._held)
        assert await team.redis.zcard(keyspace.slots()) == 0


@pytest.mark.parametrize("upstream", ["http", "websocket"])
async def test_a_turn_on_a_kept_socket_is_a_beginning(redis_url: str, upstream: str) -> None:
    transport = TransportSetting(upstream)
    async with (
        stage(redis_url, "ada", "ben", upstream_transport=transport) as team,
        socket_to(team.replicas[0].url + "/v1/responses", CODEX) as socket,
    ):
        assert text_of(await socket.turn(say="say hello")) == "hello"
        [own] = {turn.account for turn in team.sim.turns}
        accounts = {each.name: each.id for each in await team.accounts.list()}
        await team.accounts.set_terms(accounts[own], PAUSED)
        asked = team.asked(own)

        assert text_of(await socket.turn(say="say hello")) == "hello"
        assert team.asked(own) == asked

        await team.accounts.set_terms(accounts[({"ada", "ben"} - {own}).pop()], PAUSED)
        [error] = await socket.turn(say="say hello")
        assert error["error"]["code"] == "accounts_closed"
