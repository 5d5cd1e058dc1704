"""What a key may do holds on every replica, to the request, and a change holds at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from support.gateways import a_chat, reading, stage

from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.redis import keyspace


@pytest.fixture
async def team(redis_url: str) -> AsyncIterator[Any]:
    async with stage(redis_url, "ada") as made:
        await made.add_replica()
        await made.add_replica()
        yield made


async def ask(team: Any, secret: str, *, replica: int = 0, **fields: Any) -> httpx.Response:
    found = await team.client.post(
        f"{team.replicas[replica].url}/v1/chat/completions",
        json=a_chat(**fields),
        headers={"authorization": f"Bearer {secret}"},
    )
    assert isinstance(found, httpx.Response)
    return found


async def test_of_a_storm_on_three_replicas_exactly_the_limit_passes(team: Any) -> None:
    _, secret = await team.make_key(limits=Limits(rpm=11))

    answers = await asyncio.gather(*(ask(team, secret, replica=n % 3) for n in range(45)))

    assert Counter(each.status_code for each in answers) == {200: 11, 429: 34}
    passed = sorted(
        int(each.headers["x-ratelimit-remaining-requests"])
        for each in answers
        if each.status_code == 200
    )
    assert passed == list(range(11))
    refused = next(each for each in answers if each.status_code == 429)
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    counted = [each.gateway.metrics.limit_refusals.labels("rpm") for each in team.replicas]
    assert sum(each._value.get() for each in counted) == 34
    assert "11 requests per minute" in refused.json()["error"]["message"]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-ratelimit-limit-requests"] == "11"
    assert team.asked("ada") == 11


async def test_one_at_a_time_is_enough_for_one_after_the_other(team: Any) -> None:
    _, secret = await team.make_key(limits=Limits(concurrent=1))

    for n in range(12):
        answer = await ask(team, secret, replica=n % 3, stream=n % 2 == 0)
        assert answer.status_code == 200, answer.text
    assert (await ask(team, secret, model="claude-9")).status_code == 404
    assert (await ask(team, secret)).status_code == 200


async def test_a_stream_holds_its_place_until_its_client_leaves(team: Any) -> None:
    key, secret = await team.make_key(limits=Limits(concurrent=1))
    team.sim.script("silent_between", silence=60, words=1)
    async with reading(
        team.replicas[0],
        "/v1/chat/completions",
        a_chat("slowly", stream=True),
        authorization=f"Bearer {secret}",
    ) as answer:
        assert answer.status == 200
        refused = await ask(team, secret, replica=1)
        assert refused.status_code == 429
        assert "1 requests at the same time" in refused.json()["error"]["message"]
    await team.records(2)

    assert (await ask(team, secret, replica=1)).status_code == 200
    assert await team.redis.zcard(keyspace.streams(key.id)) == 0


async def test_tokens_are_corrected_by_what_was_really_used(team: Any) -> None:
    key, secret = await team.make_key(limits=Limits(tpm=100_000))
    first = await ask(team, secret, content="word " * 400)
    usage = first.json()["usage"]
    await team.records(1)

    kept = await team.redis.hgetall(keyspace.minute_tokens(key.id))
    counted = [int(value) for field, value in kept.items() if not field.endswith("+")]

    assert sum(counted) == usage["total_tokens"]
    assert int(first.headers["x-ratelimit-remaining-tokens"]) < 100_000 - 400


async def test_an_answer_that_is_left_costs_what_it_is_estimated_at(team: Any) -> None:
    key, secret = await team.make_key(limits=Limits(tpm=100_000, tokens_day=100_000))
    team.sim.script("silent_between", silence=60, words=20)
    async with reading(
        team.replicas[0],
        "/v1/chat/completions",
        a_chat("word " * 400, stream=True),
        authorization=f"Bearer {secret}",
    ) as answer:
        for _ in range(20):
            await answer.content.readline()
    (left,) = await team.records(1)

    assert (left.ending.value, left.tokens.input) == ("abandoned", 0)
    assert 500 < left.estimated < 700
    kept = await team.redis.hgetall(keyspace.minute_tokens(key.id))
    counted = [int(value) for field, value in kept.items() if not field.endswith("+")]
    assert sum(counted) == left.estimated
    await team.keys.patch(key.id, limits=Limits(tokens_day=left.estimated))
    assert (await ask(team, secret)).status_code == 429


async def test_a_request_that_nobody_was_asked_costs_no_tokens(team: Any) -> None:
    key, secret = await team.make_key(limits=Limits(rpm=10, tpm=100_000))
    for account in await team.accounts.list():
        await team.accounts.pause(account.id)

    assert (await ask(team, secret, content="word " * 400)).status_code == 503
    await team.records(1)

    kept = await team.redis.hgetall(keyspace.minute_tokens(key.id))
    assert sum(int(value) for field, value in kept.items() if not field.endswith("+")) == 0
    assert await team.redis.zcard(keyspace.minute_requests(key.id)) == 1, "it is a request"


async def test_a_spent_budget_is_told_with_its_end_and_without_a_wait(team: Any) -> None:
    _, secret = await team.make_key(limits=Limits(tokens_day=1))
    assert (await ask(team, secret)).status_code == 200
    await team.records(1)

    refused = await ask(team, secret, replica=1)

    assert refused.status_code == 429
    assert "retry-after" not in refused.headers
    assert refused.headers["x-should-retry"] == "false"
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("usage_limit_reached", "insufficient_quota")
    assert "1 tokens per day" in error["message"]
    assert 0 < error["resets_in_seconds"] <= 86_400
    assert {each.status: each.limited for each in await team.records(2)} == {200: False, 429: True}


async def test_a_change_of_a_key_holds_for_the_next_request_on_every_replica(team: Any) -> None:
    key, secret = await team.make_key()
    for n in range(3):
        assert (await ask(team, secret, replica=n)).status_code == 200

    await team.keys.patch(key.id, allowed_models=("gpt-5.4",))
    for n in range(3):
        answer = await ask(team, secret, replica=n)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")

    await team.keys.patch(key.id, allowed_models=("GPT-5.5",), limits=Limits(rpm=1))
    answer = await ask(team, secret, replica=2)
    assert answer.status_code == 200, answer.text
    assert (await ask(team, secret, replica=1)).status_code == 429

    await team.keys.patch(key.id, limits=Limits(), allowed_accounts=("acc_of_nobody",))
    for n in range(3):
        answer = await ask(team, secret, replica=n)
        assert answer.status_code in {404, 503}, answer.text

    await team.keys.patch(key.id, expires_at=1, allowed_accounts=())
    assert (await ask(team, secret)).status_code == 401
    await team.keys.patch(key.id, expires_at=0)
    assert (await ask(team, secret)).status_code == 200

    await team.keys.revoke(key.id)
    for n in range(3):
        assert (await ask(team, secret, replica=n)).status_code == 401


async def test_a_revoked_keys_answers_end_where_nobody_else_asks(team: Any) -> None:
    key, secret = await team.make_key()
    team.sim.script("silent_between", silence=3600, words=1)
    team.sim.script("silent", silence=3600)
    async with reading(
        team.replicas[1],
        "/v1/chat/completions",
        a_chat("slowly", stream=True),
        authorization=f"Bearer {secret}",
    ) as answer:
        assert answer.status == 200
        waiting = asyncio.ensure_future(ask(team, secret, replica=2))
        await team.until(lambda: team.asked("ada") == 2)
        await team.keys.revoke(key.id)
        last = (await answer.content.read()).decode().rstrip()
        refused = await waiting

    assert '"code":"invalid_api_key"' in last.split("data: ")[-1]
    assert "[DONE]" not in last
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    records = await team.records(2)
    assert {record.code for record in records} == {"invalid_api_key"}
    await team.until_cooling({})
