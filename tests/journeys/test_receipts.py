"""What a key is told of its own requests, by the id that each answer carries."""

import asyncio
import time
from decimal import Decimal
from typing import Any

import pytest
from support.gateways import PATIENCE_SECONDS, a_chat, stage

from codex_proapi.commons.prices.list_prices import LIST_PRICES, Price
from codex_proapi.commons.prices.price_store import OwnPrice, PriceStore


async def receipt(play: Any, answer: Any, **headers: str) -> Any:
    """The receipt of an answer, once there is one."""
    path, deadline = (
        f"/v1/requests/{answer.headers['x-request-id']}",
        time.monotonic() + PATIENCE_SECONDS,
    )
    while True:
        found = await play.client.get(path, headers=headers)
        if found.status_code == 200 or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.05)


async def test_it_tells_models_effort_tokens_attempts_and_times(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script("server_error", account="ada", times=None)
        play.sim.script("server_error", account="ben", times=1)

        answer = await play.chat(
            model="gpt-5.5-high", messages=a_chat()["messages"], seed=7, service_tier="priority"
        )
        found = await receipt(play, answer)

        assert found.status_code == 200, found.text
        body = found.json()
        assert (body["id"], body["object"]) == (answer.headers["x-request-id"], "request")
        assert body["model"] == {
            "asked": "gpt-5.5-high",
            "sent": "gpt-5.5",
            "answered": "gpt-5.5",
            "fallback": False,
            "substituted": False,
        }
        assert (body["reasoning_effort"], body["service_tier"]) == ("high", "priority")
        assert (body["outcome"], body["status"], body["transport"]) == ("whole", 200, "http")
        assert body["dropped_parameters"] == ["seed"]
        used, price = answer.json()["usage"], LIST_PRICES["gpt-5.5"]
        cost = (
            used["prompt_tokens"] * price.input + used["completion_tokens"] * price.output
        ) / 10**6
        assert Decimal(body["cost"].pop("amount")) == cost
        assert body["cost"] == {
            "currency": "USD",
            "price_source": price.source,
            "price_as_of": price.as_of,
        }
        assert body["usage"]["output_tokens"] == answer.json()["usage"]["completion_tokens"]
        assert [each["outcome"] for each in body["attempts"]][-1] == "committed"
        assert body["attempts"][0]["status"] == 500
        assert 0 < body["first_byte_ms"] <= body["total_ms"]
        assert 0 <= body["waited_ms"] <= body["total_ms"]
        assert "acc_" not in found.text


async def test_a_refused_request_has_one_too(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        play.sim.script("context_length_exceeded", times=None)

        body = (await receipt(play, await play.chat())).json()

        assert (body["outcome"], body["status"]) == ("refused", 400)
        assert body["code"] == "context_length_exceeded"
        assert body["cost"] is None


async def test_without_a_price_there_is_no_cost_and_a_new_price_is_told_at_once(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada") as play:
        prices = PriceStore(play.redis)
        await prices.put("gpt-5.5", OwnPrice())
        answer = await play.chat(model="gpt-5.5")
        assert (await receipt(play, answer)).json()["cost"] is None

        price = Price(
            input=Decimal(1_000_000), output=Decimal(0), source="here", as_of="2026-11-30"
        )
        await prices.put("gpt-5.5", OwnPrice(price=price))

        cost = (await receipt(play, answer)).json()["cost"]
        assert cost["amount"] == str(answer.json()["usage"]["prompt_tokens"])
        assert (cost["price_source"], cost["price_as_of"]) == ("here", "2026-11-30")


async def test_another_keys_request_an_unknown_one_and_a_bad_id_are_not_found(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada") as play:
        _, own = await play.make_key()
        _, other = await play.make_key()
        headers = {"authorization": f"Bearer {own}"}
        answer = await play.chat(headers=headers)
        assert (await receipt(play, answer, **headers)).status_code == 200

        path = f"/v1/requests/{answer.headers['x-request-id']}"
        refused = await play.client.get(path, headers={"authorization": f"Bearer {other}"})
        nobody = await play.client.get(path)
        unknown = await play.client.get("/v1/requests/req_0", headers=headers)

        assert refused.status_code == unknown.status_code == 404
        assert refused.json()["error"]["code"] == "request_not_found"
        assert nobody.status_code in {401, 404}


@pytest.mark.parametrize(
    "path", ["/v1/requests", "/v1/requests/a/b", "/v1/requests/%20", "/requests/req_0"]
)
async def test_other_paths_are_no_receipts(redis_url: str, path: str) -> None:
    async with stage(redis_url, "ada") as play:
        assert (await play.client.get(path)).json()["error"]["code"] == "unknown_url"
