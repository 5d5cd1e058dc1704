"""Small work goes to the model of its class, as the setting or the key says, and back where that cannot."""

from typing import Any

import pytest
from support.gateways import a_response, stage

ASKED, SMALL = "gpt-6-sol", "gpt-6-luna"
AUXILIARY = {"x-claude-code-session-id": "s1", "x-claude-code-request-class": "auxiliary"}
SET: Any = {"small_work_models": {"auxiliary": SMALL, "remote_compaction": SMALL}}


def a_message(**changes: Any) -> dict[str, Any]:
    return {
        "model": ASKED,
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "hi"}],
        **changes,
    }


async def test_small_work_goes_to_its_model_and_is_told(redis_url: str) -> None:
    async with stage(redis_url, "ada", **SET) as play:
        answer = await play.client.post("/v1/messages", json=a_message(), headers=AUXILIARY)
        plain = await play.client.post("/v1/messages", json=a_message())

        assert (answer.status_code, answer.json()["model"]) == (200, SMALL)
        assert answer.headers["x-small-work"] == f"auxiliary={SMALL}"
        assert "x-fallback-model" not in answer.headers
        assert (plain.json()["model"], "x-small-work" in plain.headers) == (ASKED, False)
        records = await play.records(2)
        assert [
            (r.asked_model, r.sent_model, r.small_work, r.small_work_outcome, r.fallback)
            for r in records
        ] == [(ASKED, SMALL, "auxiliary", "moved", False), (ASKED, ASKED, "", "", False)]
        metrics = (await play.client.get("/metrics")).text
        assert 'gateway_small_work_total{outcome="moved",work="auxiliary"} 1.0' in metrics


async def test_it_is_off_until_a_model_is_set_and_the_class_is_told_still(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        answer = await play.client.post("/v1/messages", json=a_message(), headers=AUXILIARY)

        assert (answer.json()["model"], "x-small-work" in answer.headers) == (ASKED, False)
        [record] = await play.records(1)
        assert (record.small_work, record.small_work_outcome) == ("auxiliary", "off")


@pytest.mark.parametrize(
    ("terms", "model", "outcome"),
    [
        ({}, SMALL, "moved"),
        ({"small_work_models": "none"}, ASKED, "off"),
        ({"small_work_models": "auxiliary=gpt-5.5"}, "gpt-5.5", "moved"),
        ({"small_work_models": "auxiliary=gpt-gone"}, ASKED, "unknown_model"),
        ({"allowed_models": (ASKED,)}, ASKED, "not_allowed"),
    ],
)
async def test_a_key_has_its_own_and_no_model_it_may_not_use(
    redis_url: str, terms: Any, model: str, outcome: str
) -> None:
    async with stage(redis_url, "ada", **SET) as play:
        _, secret = await play.make_key(**terms)
        headers = {**AUXILIARY, "authorization": f"Bearer {secret}"}

        answer = await play.client.post("/v1/messages", json=a_message(), headers=headers)

        assert (answer.status_code, answer.json()["model"]) == (200, model)
        [record] = await play.records(1)
        assert (record.small_work, record.small_work_outcome) == ("auxiliary", outcome)
        receipt = await play.client.get(
            f"/v1/requests/{answer.headers['x-request-id']}", headers=headers
        )
        assert receipt.json()["small_work"] == {"class": "auxiliary", "outcome": outcome}


async def test_a_client_that_asks_for_a_small_model_gets_it(redis_url: str) -> None:
    both = {"small_work_models": {"auxiliary": SMALL, "haiku": "gpt-5.5"}}
    async with stage(redis_url, "ada", **both) as play:
        asked = a_message(model="gpt-5.5")
        answer = await play.client.post("/v1/messages", json=asked, headers=AUXILIARY)

        assert answer.json()["model"] == "gpt-5.5"
        assert [r.small_work_outcome for r in await play.records(1)] == ["same"]


@pytest.mark.parametrize("fault", ["unsupported_model", "usage_limit_reached"])
async def test_a_model_that_cannot_serve_leaves_it_to_the_one_asked_for(
    redis_url: str, fault: str
) -> None:
    async with stage(redis_url, "ada", **SET, model_fallbacks={SMALL: "gpt-5.5"}) as play:
        more: Any = {"resets_in": 3600} if fault == "usage_limit_reached" else {}
        play.sim.script(fault, model=SMALL, times=None, **more)

        answer = await play.client.post("/v1/messages", json=a_message(), headers=AUXILIARY)

        # A spent window is the account's, so then no model is left.
        expected = (200, "refused") if fault == "unsupported_model" else (429, "refused")
        [record] = await play.records(1)
        assert (answer.status_code, record.small_work_outcome) == expected
        assert record.sent_model == ASKED


async def test_caps_of_the_key_hold_for_small_work(redis_url: str) -> None:
    async with stage(redis_url, "ada", **SET) as play:
        _, secret = await play.make_key(max_effort="low")
        headers = {**AUXILIARY, "authorization": f"Bearer {secret}"}
        body = a_message(output_config={"effort": "high"})

        answer = await play.client.post("/v1/messages", json=body, headers=headers)

        assert answer.status_code == 200
        sent = play.sim.turns[-1].body
        assert (sent["model"], sent["reasoning"]["effort"]) == (SMALL, "low")


async def test_a_codex_compaction_streams_from_the_small_model(redis_url: str) -> None:
    async with stage(redis_url, "ada", **SET) as play:
        message = {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "hi"}],
        }
        body = a_response([message, {"type": "compaction_trigger"}], model=ASKED, stream=True)

        answer = await play.client.post(
            "/v1/responses", json=body, headers={"originator": "codex_cli_rs"}
        )

        assert answer.headers["x-small-work"] == f"remote_compaction={SMALL}"
        assert play.sim.turns[-1].body["model"] == SMALL
        assert '"type":"compaction"' in answer.text


async def test_small_work_leaves_the_conversation_where_it_is(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben", **SET) as play:
        session = {"x-claude-code-session-id": "s1"}
        await play.client.post("/v1/messages", json=a_message(), headers=session)
        [first] = await play.records(1)
        names = {each.id: each.name for each in await play.accounts.list()}
        here = next(name for name in ("ada", "ben") if name in names[first.account])
        play.sim.script("unsupported_model", model=SMALL, account=here, times=None)

        await play.client.post("/v1/messages", json=a_message(), headers=AUXILIARY)
        await play.client.post("/v1/messages", json=a_message(), headers=session)

        _, small, last = await play.records(3)
        assert (small.sent_model, last.sent_model) == (SMALL, ASKED)
        assert small.account != first.account == last.account
