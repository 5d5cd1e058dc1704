"""Money adds up to the last digit, wherever it is told, and budgets in money refuse in every dialect."""

import asyncio
import csv
import io
import random
import time
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
from support.consoles import Browser, console_settings, running
from support.gateways import KEY, PATIENCE_SECONDS, a_response, stage

from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.prices.list_prices import Price
from codex_proapi.commons.prices.price_store import OwnPrice, PriceStore
from codex_proapi.commons.prices.token_costs import rounded

MODELS = ("gpt-6.1-sol", "gpt-6-luna", "gpt-6-astra", "gpt-5.5", "gpt-5.6-sol")
UNPRICED = "gpt-5.6-sol"
REQUESTS = 60
MESSAGE = {"max_tokens": 99, "messages": [{"role": "user", "content": "say hello"}]}


async def receipt(play: Any, request_id: str, secret: str) -> dict[str, Any]:
    """The receipt of a request, once there is one."""
    headers = {"authorization": f"Bearer {secret}"}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await play.client.get(f"/v1/requests/{request_id}", headers=headers)
            if found.status_code == 200:
                return dict(found.json())
            await asyncio.sleep(0.05)


async def own_usage(play: Any, secret: str, *, micro_usd: int) -> Any:
    """What a key is told of itself, once the estimates of its requests have given way to what they took."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            own = await play.client.get("/v1/usage", headers={"authorization": f"Bearer {secret}"})
            told = [b["used"] for b in own.json()["budgets"] if b["unit"] == "micro_usd"]
            if told == [micro_usd] * len(told):
                return own
            await asyncio.sleep(0.05)


async def storm(play: Any, secrets: list[str]) -> dict[str, list[str]]:
    """Many requests at once, of all keys and models, some broken off: their ids by secret."""
    dice = random.Random(5)
    play.sim.script("server_error", times=3)
    play.sim.script("truncated", cut_after=900, cut="close", times=2)

    async def ask(number: int) -> tuple[str, str]:
        secret, replica = secrets[number % len(secrets)], play.replicas[number % 2]
        answer = await play.client.post(
            f"{replica.url}/v1/responses",
            json=a_response(
                f"write {dice.randint(1, 60)} words",
                stream=number % 4 == 0,
                model=MODELS[number % 5],
            ),
            headers={"authorization": f"Bearer {secret}"},
        )
        return secret, answer.headers["x-request-id"]

    asked: dict[str, list[str]] = defaultdict(list)
    for secret, request_id in await asyncio.gather(*map(ask, range(REQUESTS))):
        asked[secret].append(request_id)
    return asked


async def csv_cost(browser: Browser, by: str) -> tuple[Decimal, dict[str, Decimal]]:
    """What the CSV says of all, and by subject."""
    answer = await browser.get(f"/api/usage?by={by}&format=csv")
    by_subject: dict[str, Decimal] = defaultdict(Decimal)
    for row in csv.DictReader(io.StringIO(answer.text)):
        by_subject[row["subject"]] += Decimal(row["cost_usd"] or 0)
    return sum(by_subject.values(), Decimal(0)), by_subject


async def test_a_storm_costs_the_same_wherever_it_is_told(redis_url: str) -> None:
    dear = Limits(micro_usd_day=10**12, micro_usd_month=10**12)
    async with stage(redis_url, "ada", "ben", "cleo") as play:
        await play.add_replica()
        await PriceStore(play.redis).put(UNPRICED, OwnPrice())
        made = [await play.make_key(limits=dear if n == 0 else Limits()) for n in range(3)]
        asked = await storm(play, [secret for _, secret in made])
        receipts = {
            key.id: [await receipt(play, each, secret) for each in asked[secret]]
            for key, secret in made
        }
        costs = {
            key_id: sum(
                (Decimal(each["cost"]["amount"]) for each in told if each["cost"]), Decimal(0)
            )
            for key_id, told in receipts.items()
        }
        total = sum(costs.values(), Decimal(0))
        key, secret = made[0]
        own = await own_usage(play, secret, micro_usd=int(costs[key.id] * 10**6))
        limited = await play.client.post(
            "/v1/messages", json={**MESSAGE, "model": "gpt-5.5"}, headers={"x-api-key": secret}
        )
        settings = console_settings(redis_url, encryption_keys=(KEY,))
        async with (
            running(settings, clock=time.time) as console,
            Browser(console, accept="text/html") as browser,
        ):
            by_key, keys = await csv_cost(browser, "key")
            sums = {by: (await csv_cost(browser, by))[0] for by in ("account", "model")}
            page = (await browser.get("/usage?span=today")).text

    assert total > 0
    assert any(told["cost"] is None and told["outcome"] == "whole" for told in receipts[key.id])
    assert all(
        told["cost"] is None for told in receipts[key.id] if told["model"]["sent"] == UNPRICED
    )
    assert (
        by_key - keys[key.id] <= total
    )  # the last request of the first key is not in the receipts
    assert {each.id: keys[each.id] for each, _ in made[1:]} == {
        each.id: costs[each.id] for each, _ in made[1:]
    }
    assert sums == {"account": by_key, "model": by_key}
    budgets = [each for each in own.json()["budgets"] if each["unit"] == "micro_usd"]
    assert [each["used"] for each in budgets] == [int(costs[key.id] * 10**6)] * 2
    assert Decimal(own.json()["days"][0]["cost_usd"]) == costs[key.id]
    assert own.json()["days"][0]["unpriced_tokens"] > 0
    assert limited.headers["anthropic-ratelimit-unified-status"] == "allowed"
    assert f"${rounded(by_key)}" in page


@pytest.mark.parametrize("spent", [True, False])
async def test_a_spent_budget_refuses_in_the_clients_dialect(redis_url: str, spent: bool) -> None:
    limit = 1 if spent else 10**9
    async with stage(redis_url, "ada") as play:
        await play.add_replica()
        _, secret = await play.make_key(limits=Limits(micro_usd_week=limit))
        headers = {"authorization": f"Bearer {secret}"}
        assert (await play.chat(model="gpt-5.5", headers=headers)).status_code == 200
        await play.records(1)

        chat = await play.client.post(
            f"{play.replicas[1].url}/v1/responses",
            json=a_response(model="gpt-5.5"),
            headers={**headers, "originator": "codex_exec", "session-id": "s1"},
        )
        message = await play.client.post(
            "/v1/messages", json={**MESSAGE, "model": "gpt-5.5"}, headers={"x-api-key": secret}
        )

    if not spent:
        assert (chat.status_code, message.status_code) == (200, 200)
        assert chat.headers["x-codex-primary-window-minutes"] == "10080"
        return
    assert (chat.status_code, message.status_code) == (429, 429)
    error = chat.json()["error"]
    assert (error["type"], error["code"]) == ("usage_limit_reached", "insufficient_quota")
    assert "$0.000001 at list prices per week" in error["message"]
    assert chat.headers["x-should-retry"] == "false"
    assert message.json()["error"]["type"] == "billing_error"
    assert message.headers["anthropic-ratelimit-unified-overage-period"] == "weekly"


async def test_a_model_without_a_price_is_served_though_the_budget_is_small(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        await PriceStore(play.redis).put("gpt-5.5", OwnPrice())
        view = play.replicas[0].gateway.stores.prices
        await play.until(lambda: "gpt-5.5" not in view.table.prices)
        _, secret = await play.make_key(limits=Limits(micro_usd_day=1))
        headers = {"authorization": f"Bearer {secret}"}
        for count in (1, 2):
            assert (await play.chat(model="gpt-5.5", headers=headers)).status_code == 200
            await play.records(count)


async def test_a_price_that_is_set_holds_on_every_replica_without_a_restart(redis_url: str) -> None:
    price = Price(input=Decimal(1_000_000), output=Decimal(1_000_000))
    async with stage(redis_url, "ada") as play:
        await play.add_replica()
        _, secret = await play.make_key(limits=Limits(micro_usd_day=10**6))
        headers = {"authorization": f"Bearer {secret}"}
        assert (await play.chat(model="gpt-5.5", headers=headers)).status_code == 200
        await play.records(1)
        views = [replica.gateway.stores.prices for replica in play.replicas]
        await PriceStore(play.redis).put("gpt-5.5", OwnPrice(price=price))
        await play.until(lambda: all(v.table.prices.get("gpt-5.5") == price for v in views))

        found = await play.chat(model="gpt-5.5", headers=headers)

    assert (found.status_code, found.json()["error"]["code"]) == (429, "insufficient_quota")
