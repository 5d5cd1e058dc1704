"""The answer itself; answers that break off are in the journeys of failover."""

from typing import Any

import pytest
from support.gateways import a_response, stage

from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.exchange_record import Ending

CODEX = {"originator": "codex_exec", "session-id": "s1"}


async def test_what_was_left_out_is_told_in_a_header_and_in_the_record(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        answer = await play.chat(temperature=0.5, seed=7)

        assert answer.status_code == 200
        dropped = answer.headers["x-dropped-parameters"].split(", ")
        [record] = await play.records()
        assert set(dropped) == set(record.dropped)
        assert "temperature" in dropped


async def test_codex_is_told_which_model_answered(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        codex = await play.client.post("/v1/responses", json=a_response(stream=True), headers=CODEX)
        other = await play.client.post("/v1/responses", json=a_response(stream=True))

        assert codex.headers["openai-model"] == "gpt-5.5"
        assert "openai-model" not in other.headers


async def test_an_answer_that_cannot_be_kept_is_given_all_the_same(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:

        async def away(*_: Any, **__: Any) -> None:
            raise StoreUnavailable("away")

        gateway = play.replicas[0].gateway
        gateway._responses.keep = away
        answer = await play.client.post("/v1/responses", json=a_response())

        assert answer.status_code == 200
        assert gateway.metrics.redis_errors.labels("keep")._value.get() == 1


@pytest.mark.parametrize("fault", ["failed_after_words", "reset", ""])
async def test_what_a_stream_told_of_its_quota_is_heard_however_it_ends(
    redis_url: str, fault: str
) -> None:
    async with stage(redis_url, "ada") as play:
        if fault:
            play.sim.script(fault)
        await play.chat("say hello", stream=True)

        told = play.replicas[0].gateway._quotas._told
        assert [quota.plan for _, quota in told.values()] == [play.sim.account("ada").plan]


async def test_it_is_heard_of_a_client_that_leaves(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        play.sim.script("slow")
        told = play.replicas[0].gateway._quotas._told
        async with play.client.stream("POST", "/v1/responses", json=a_response(stream=True)) as sse:
            await anext(sse.aiter_bytes())
        [record] = await play.records()

        assert record.ending is Ending.ABANDONED
        assert len(told) == 1


async def test_events_we_do_not_know_are_counted(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        await play.chat("say hello", stream=True)

        metrics = (await play.client.get("/metrics")).text
        assert "gateway_unknown_events_total" in metrics
