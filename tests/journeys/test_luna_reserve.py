"""Luna Reserve: accounts whose ordinary windows are shut serve one model, where that is switched on."""

from decimal import Decimal
from typing import Any

import pytest
from support.gateways import Stage, a_response, stage

from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.codex.luna_reserve import LunaReserve
from codex_proapi.commons.prices.list_prices import LIST_PRICES
from codex_proapi.simulator import Simulator

LUNA = "gpt-5.6-luna"


def with_reserve(used: float = 10.0, *, fedramp: bool = False) -> Simulator:
    made = Simulator()
    ada = made.account("ada")
    ada.used_percent, ada.reserve_used, ada.fedramp = 100.0, used, fedramp
    ada.plan = "pro"
    return made


async def until_known(play: Stage) -> None:
    """Wait until the first replica knows the account's quota and models."""
    await play.until_polled()
    tracker = play.replicas[0].gateway.upstream.quota_tracker
    await play.until(lambda: tracker._known)


def polled(play: Stage) -> list[str]:
    asked = [r for r in play.sim.requests if r.path.endswith("/usage")]
    return [r.headers.get("x-openai-codex-luna-reserve", "") for r in asked]


async def test_it_is_off_by_default_and_not_asked_for(redis_url: str) -> None:
    async with stage(redis_url, "ada", backend=with_reserve()) as play:
        await until_known(play)

        answer = await play.chat(model=LUNA)

        assert answer.status_code == 429
        assert set(polled(play)) == {""}
        assert "gpt-reserve" not in {turn.body["model"] for turn in play.sim.turns}


@pytest.mark.parametrize("mode", [LunaReserve.LUNA, LunaReserve.FALLBACK])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_for_luna_is_served_by_the_reserve(
    redis_url: str, mode: Any, stream: bool
) -> None:
    async with stage(redis_url, "ada", backend=with_reserve(), luna_reserve=mode) as play:
        await until_known(play)

        answer = await play.client.post("/v1/responses", json=a_response(model=LUNA, stream=stream))

        assert answer.status_code == 200
        assert LUNA in answer.text
        assert "gpt-reserve" not in answer.text
        assert play.sim.turns[-1].body["model"] == "gpt-reserve"
        assert set(polled(play)) == {"1"}
        [record] = await play.records()
        assert (record.sent_model, record.answered_model) == ("gpt-reserve", LUNA)
        assert not record.substituted
        assert "on its Luna Reserve" in str(record.attempts)


async def test_the_reserve_costs_what_its_model_costs(redis_url: str) -> None:
    async with stage(
        redis_url, "ada", backend=with_reserve(), luna_reserve=LunaReserve.LUNA
    ) as play:
        await until_known(play)
        _, secret = await play.make_key(limits=Limits(micro_usd_day=1_000_000_000))
        headers = {"authorization": f"Bearer {secret}"}

        answer = await play.chat(model=LUNA, headers=headers)
        await play.logged(answer.headers["x-request-id"])
        told = await play.client.get(
            f"/v1/requests/{answer.headers['x-request-id']}", headers=headers
        )
        usage = (await play.client.get("/v1/usage", headers=headers)).json()

        assert answer.status_code == 200
        assert told.json()["model"]["answered"] == LUNA
        used, price = answer.json()["usage"], LIST_PRICES[LUNA]
        cost = used["prompt_tokens"] * price.input + used["completion_tokens"] * price.output
        assert Decimal(told.json()["cost"]["amount"]) == cost / 10**6
        assert usage["days"][0]["unpriced_tokens"] == 0
        assert Decimal(usage["days"][0]["cost_usd"]) == cost / 10**6


async def test_a_codex_client_hears_of_luna_too(redis_url: str) -> None:
    async with stage(
        redis_url, "ada", backend=with_reserve(), luna_reserve=LunaReserve.LUNA
    ) as play:
        await until_known(play)
        headers = {"originator": "codex_cli_rs", "user-agent": "codex_cli_rs/0.171.0 (x; y) z"}

        answer = await play.client.post(
            "/v1/responses", json=a_response(model=LUNA, stream=True, store=False), headers=headers
        )

        assert answer.status_code == 200
        assert "gpt-reserve" not in answer.text + str(answer.headers)


async def test_other_models_are_not_served_by_it_unless_asked_for(redis_url: str) -> None:
    async with stage(
        redis_url, "ada", backend=with_reserve(), luna_reserve=LunaReserve.LUNA
    ) as play:
        await until_known(play)

        assert (await play.chat()).status_code == 429


async def test_as_a_fallback_it_serves_other_models_too(redis_url: str) -> None:
    async with stage(
        redis_url, "ada", backend=with_reserve(), luna_reserve=LunaReserve.FALLBACK
    ) as play:
        await until_known(play)
        answer = await play.chat()

        assert answer.status_code == 200
        assert answer.headers["x-fallback-model"] == LUNA
        assert answer.json()["model"] == LUNA


async def test_a_key_without_fallbacks_gets_none(redis_url: str) -> None:
    async with stage(
        redis_url, "ada", backend=with_reserve(), luna_reserve=LunaReserve.FALLBACK
    ) as play:
        await until_known(play)
        _, secret = await play.make_key(model_fallbacks="none")
        headers = {"authorization": f"Bearer {secret}"}

        assert (await play.chat(headers=headers)).status_code == 429
        assert (await play.chat(model=LUNA, headers=headers)).status_code == 200


async def test_a_spent_reserve_is_a_cooldown_of_its_own(redis_url: str) -> None:
    async with stage(
        redis_url, "ada", backend=with_reserve(), luna_reserve=LunaReserve.LUNA
    ) as play:
        await until_known(play)
        await play.chat(model=LUNA)
        play.sim.account("ada").reserve_used = 100.0

        answer = await play.chat(model=LUNA)

        assert answer.status_code == 429
        assert "gpt-reserve" not in answer.text
        await play.until_cooling({"ada": "quota", "ada gpt-reserve": "quota"})


async def test_another_model_in_its_place_is_a_substitution(redis_url: str) -> None:
    async with stage(
        redis_url, "ada", backend=with_reserve(), luna_reserve=LunaReserve.LUNA
    ) as play:
        await until_known(play)
        play.sim.script("other_model", answered_model="gpt-5.5", model="gpt-reserve")

        await play.chat(model=LUNA)

        [record] = await play.records()
        assert record.substituted


async def test_a_fedramp_account_is_never_asked_for_it(redis_url: str) -> None:
    async with stage(
        redis_url, backend=with_reserve(fedramp=True), luna_reserve=LunaReserve.LUNA
    ) as play:
        [ada] = await play.log_in("ada")
        await play.redis.hset("{codex-proapi}:account:" + ada, "fedramp", "1")
        await play.redis.incr("{codex-proapi}:accounts-version")
        gateway = play.replicas[0].gateway
        await play.until(lambda: any(a.fedramp for a in gateway.stores.view.accounts.values()))
        await gateway.upstream.quota_tracker.check()
        await gateway.upstream.quota_tracker.ask()

        assert set(polled(play)) == {""}
