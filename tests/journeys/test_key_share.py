"""A Codex client is told its key's own share, wherever it looks, and nothing of any account."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from support.gateways import a_response, stage

from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.codex.quota_parser import quota_of_headers, quota_of_usage

CODEX = {"originator": "codex_exec", "session-id": "s1"}
USAGE_PATHS = ("/api/codex/usage", "/backend-api/wham/usage/", "/wham/usage", "/v1/api/codex/usage")


@pytest.fixture
async def play(redis_url: str) -> AsyncIterator[Any]:
    async with stage(redis_url, "ada", "cleo") as made:
        made.sim.account("ada").used_percent = 61.0
        made.sim.account("cleo").used_percent = 21.0
        yield made


async def ask(play: Any, secret: str, **headers: str) -> httpx.Response:
    found = await play.client.post(
        "/v1/responses",
        json=a_response(stream=True),
        headers={"authorization": f"Bearer {secret}", **headers},
    )
    assert isinstance(found, httpx.Response)
    return found


async def usage(play: Any, secret: str, path: str = "/wham/usage") -> httpx.Response:
    found = await play.client.get(path, headers={"authorization": f"Bearer {secret}"})
    assert isinstance(found, httpx.Response)
    return found


def told(answer: httpx.Response) -> dict[str, str]:
    return {
        name: value
        for name, value in answer.headers.items()
        if name.startswith("x-codex-") and name != "x-codex-turn-state"
    }


async def spent(play: Any, secret: str, settled: int) -> int:
    """Tokens of one answer, once it is counted."""
    answer = await ask(play, secret, **CODEX)
    assert answer.status_code == 200, answer.text
    record = (await play.records(settled))[-1]
    return int(record.tokens.input + record.tokens.output)


async def test_headers_and_usage_tell_the_same_of_a_keys_budgets(play: Any) -> None:
    key, secret = await play.make_key(limits=Limits(tokens_day=4000, tokens_week=8000))
    used = await spent(play, secret, 1)

    headers = quota_of_headers(told(await ask(play, secret, **CODEX)))
    assert headers is not None
    windows = headers.windows
    assert [(w.minutes, w.used_percent) for w in windows] == [
        (1440, used * 100 // 4000),
        (10_080, used * 100 // 8000),
    ]
    assert 0 < (windows[0].resets_in or 0) <= 86_400
    assert windows[1].resets_at == windows[0].resets_at + 6 * 86_400

    await play.records(2)
    await play.keys.patch(key.id, limits=Limits(tokens_day=used * 4, tokens_week=used * 8))
    for path in USAGE_PATHS:
        found = quota_of_usage((await usage(play, secret, path)).content)
        assert found is not None
        assert [w.used_percent for w in found.windows] == [50, 25]


async def test_a_spent_budget_is_told_with_the_refusal(play: Any) -> None:
    _, secret = await play.make_key(limits=Limits(tokens_month=1))
    await spent(play, secret, 1)

    refused = await ask(play, secret, **CODEX)
    share = quota_of_headers(told(refused))

    assert refused.status_code == 429
    assert share is not None
    assert share.reached_type == "rate_limit_reached"
    assert [(w.minutes, w.used_percent) for w in share.windows] == [(43_200, 100)]
    assert share.windows[0].resets_at == refused.json()["error"]["resets_at"]
    body = (await usage(play, secret)).json()
    assert body["rate_limit"]["limit_reached"] is True
    assert body["rate_limit_reached_type"] == {"type": "rate_limit_reached"}


async def test_a_key_without_budgets_hears_nothing_in_headers_and_of_the_pool_when_it_asks(
    play: Any,
) -> None:
    key, secret = await play.make_key(limits=Limits(rpm=50))
    for session in ("s1", "s2"):
        assert told(await ask(play, secret, **{**CODEX, "session-id": session})) == {}
    accounts = {account.name: account.id for account in await play.accounts.list()}
    await play.replicas[0].gateway.upstream.quota_tracker.keep()

    body = (await usage(play, secret)).json()
    assert body["rate_limit"]["primary_window"]["used_percent"] in range(41, 44)
    assert [body[name] for name in ("user_id", "account_id", "email")] == [None] * 3
    assert not any(name in str(body) for name in ("ada", "cleo", *accounts.values()))

    await play.keys.patch(key.id, allowed_accounts=(accounts["cleo"],))
    body = (await usage(play, secret)).json()
    assert body["rate_limit"]["primary_window"]["used_percent"] in range(21, 24)


async def test_nobody_else_is_told_a_share_and_nobody_an_accounts_quota(play: Any) -> None:
    _, secret = await play.make_key(limits=Limits(tokens_day=10**9))

    codex, other = await ask(play, secret, **CODEX), await ask(play, secret)

    assert told(codex)["x-codex-primary-used-percent"] == "0"
    assert told(codex)["x-codex-plan-type"] == "guest"
    assert told(other) == {}
    assert "codex.rate_limits" not in codex.text + other.text


@pytest.mark.parametrize("path", USAGE_PATHS)
async def test_without_a_good_key_nothing_is_told(play: Any, path: str) -> None:
    await play.make_key()

    assert (await usage(play, "cpa-wrong", path)).status_code == 401
    assert (await play.client.get(path)).status_code == 401
