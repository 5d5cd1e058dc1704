"""Where no account can serve a model another one does, as the setting or the key says; and caps of keys."""

import asyncio
from typing import Any

import pytest
from support.gateways import a_response, stage

from codex_proapi.commons.api_keys.limits import Limits

DEAR, CHEAP, CHEAPEST = "gpt-6-sol", "gpt-6-luna", "gpt-5.5"
SPENT: Any = {"times": None, "resets_in": 3600}


async def test_the_fallback_serves_and_is_told(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben", model_fallbacks={DEAR: CHEAP}) as play:
        play.sim.script("unsupported_model", model=DEAR, times=None)

        first = await play.chat(model=DEAR)
        second = await play.chat(model=f"{DEAR}-high")

        for answer in (first, second):
            assert answer.status_code == 200, answer.text
            assert (answer.json()["model"], answer.headers["x-fallback-model"]) == (CHEAP, CHEAP)
        assert play.sim.turns[-1].body["reasoning"]["effort"] == "high"
        records = await play.records(2)
        assert [(r.asked_model, r.sent_model, r.fallback) for r in records] == [
            (DEAR, CHEAP, True),
            (f"{DEAR}-high", CHEAP, True),
        ]
        assert not any(record.substituted for record in records)


async def test_a_fallback_may_say_with_which_effort(redis_url: str) -> None:
    async with stage(redis_url, "ada", model_fallbacks={DEAR: f"{CHEAP}-low"}) as play:
        play.sim.script("unsupported_model", model=DEAR, times=None)

        answer = await play.chat(model=f"{DEAR}-high")

        assert (answer.json()["model"], answer.headers["x-fallback-model"]) == (CHEAP, CHEAP)
        assert play.sim.turns[-1].body["reasoning"]["effort"] == "low"


async def test_a_model_that_can_be_served_is(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben", model_fallbacks={DEAR: CHEAP}) as play:
        answer = await play.chat(model=DEAR)

        assert answer.json()["model"] == DEAR
        assert "x-fallback-model" not in answer.headers


async def test_fallbacks_may_follow_one_another_and_streams_have_them_too(redis_url: str) -> None:
    async with stage(redis_url, "ada", model_fallbacks={DEAR: CHEAP, CHEAP: CHEAPEST}) as play:
        play.sim.script("unsupported_model", model=DEAR, times=None)
        play.sim.script("unsupported_model", model=CHEAP, times=None)

        answer = await play.client.post("/v1/responses", json=a_response(model=DEAR, stream=True))

        assert answer.status_code == 200
        assert answer.headers["x-fallback-model"] == CHEAPEST
        assert f'"model":"{CHEAPEST}"' in answer.text


@pytest.mark.parametrize(
    ("of_key", "status", "model"),
    [("", 200, CHEAP), ("none", 404, None), (f"{DEAR}={CHEAPEST}", 200, CHEAPEST)],
)
async def test_a_key_may_have_its_own_or_none(
    redis_url: str, of_key: str, status: int, model: str | None
) -> None:
    async with stage(redis_url, "ada", model_fallbacks={DEAR: CHEAP}) as play:
        play.sim.script("unsupported_model", model=DEAR, times=None)
        _, secret = await play.make_key(model_fallbacks=of_key)

        answer = await play.chat(model=DEAR, headers={"authorization": f"Bearer {secret}"})

        assert answer.status_code == status
        assert answer.json().get("model") == model


@pytest.mark.parametrize(
    "terms", [{"allowed_models": (DEAR,)}, {"model_fallbacks": f"{DEAR}=gone"}]
)
async def test_a_fallback_that_the_key_may_not_use_or_that_is_none_leaves_the_refusal(
    redis_url: str, terms: Any
) -> None:
    async with stage(redis_url, "ada", model_fallbacks={DEAR: CHEAP}) as play:
        play.sim.script("usage_limit_reached", model=DEAR, **SPENT)
        _, secret = await play.make_key(**terms)

        answer = await play.chat(model=DEAR, headers={"authorization": f"Bearer {secret}"})

        assert (answer.status_code, answer.json()["error"]["type"]) == (429, "usage_limit_reached")


async def test_a_fallback_is_charged_to_the_key_once(redis_url: str) -> None:
    async with stage(redis_url, "ada", model_fallbacks={DEAR: CHEAP}) as play:
        play.sim.script("unsupported_model", model=DEAR, times=None)

        _, secret = await play.make_key(limits=Limits(rpm=2))
        headers = {"authorization": f"Bearer {secret}"}

        answers = [await play.chat(model=DEAR, headers=headers) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200, 200, 429]


@pytest.mark.parametrize("name", ["big", "openai/gpt-6-sol", "GPT-6-Sol", f"{DEAR}-high"])
async def test_a_name_that_leads_to_the_model_has_its_fallback(redis_url: str, name: str) -> None:
    changes: Any = {"model_aliases": {"big": DEAR}, "model_fallbacks": {name: CHEAP}}
    async with stage(redis_url, "ada", **changes) as play:
        play.sim.script("unsupported_model", model=DEAR, times=None)

        answer = await play.chat(model=DEAR)

        assert (answer.status_code, answer.json()["model"]) == (200, CHEAP)


async def test_a_model_is_no_fallback_of_itself(redis_url: str) -> None:
    async with stage(redis_url, "ada", model_fallbacks={DEAR: f"{DEAR}-low"}) as play:
        play.sim.script("unsupported_model", model=DEAR, times=None)

        answer = await play.chat(model=DEAR)

        assert answer.status_code == 404
        [record] = await play.records()
        assert (len(record.attempts), record.fallback) == (1, False)


async def test_the_log_names_no_fallback_that_was_never_sent(redis_url: str) -> None:
    async with stage(redis_url, "ada", model_fallbacks={DEAR: CHEAP}) as play:
        play.sim.script("unsupported_model", model=DEAR, times=None)
        _, secret = await play.make_key(allowed_models=(DEAR,))

        answer = await play.chat(model=DEAR, headers={"authorization": f"Bearer {secret}"})

        assert answer.status_code == 404
        [record] = await play.records()
        assert (record.asked_model, record.sent_model, record.fallback) == (DEAR, DEAR, False)


@pytest.mark.parametrize("tier", ["priority", "ultrafast"])
async def test_the_log_names_the_model_of_a_request_that_a_cap_refuses(
    redis_url: str, tier: str
) -> None:
    async with stage(redis_url, "ada") as play:
        _, secret = await play.make_key(fast_tier="refuse")
        headers = {"authorization": f"Bearer {secret}"}

        answer = await play.chat(model=DEAR, service_tier=tier, stream=True, headers=headers)

        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "service_tier")
        [record] = await play.records()
        assert (record.asked_model, record.streamed) == (DEAR, True)


@pytest.mark.parametrize("client", [{}, {"originator": "codex_cli_rs"}])
async def test_a_keys_caps_hold_for_every_client(redis_url: str, client: dict[str, str]) -> None:
    async with stage(redis_url, "ada") as play:
        _, secret = await play.make_key(max_effort="low", fast_tier="ignore")
        headers = {"authorization": f"Bearer {secret}", **client}
        body = a_response(
            [
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "hi"}],
                }
            ],
            reasoning={"effort": "high"},
            service_tier="priority",
            stream=True,
        )

        answer = await play.client.post("/v1/responses", json=body, headers=headers)

        assert answer.status_code == 200
        sent = play.sim.turns[-1].body
        assert (sent["reasoning"]["effort"], "service_tier" in sent) == ("low", False)
        assert answer.headers["x-dropped-parameters"] == "service_tier, reasoning.effort"


async def test_a_body_kept_for_a_fallback_is_dropped_when_the_answer_begins(redis_url: str) -> None:
    async with stage(redis_url, "ada", model_fallbacks={DEAR: CHEAP}) as play:
        play.sim.script("slow", times=None, pace=0.2)
        in_flight = play.replicas[0].gateway.in_flight._exchanges

        asking = asyncio.ensure_future(play.chat("count to 30", model=DEAR))
        await play.until(lambda: any(each.account for each in in_flight))

        assert [each.body for each in in_flight] == [b""]
        asking.cancel()
