"""The answer itself; answers that break off are in the journeys of failover."""

import asyncio
import gc
import types
from typing import Any

import pytest
from support.gateways import a_chat, a_response, reading, stage

from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.exchange.dispatch_state import DispatchState
from codex_proapi.gateway.pool.state.pool_reader import PoolState
from codex_proapi.gateway.server.body_budget import BodyHold

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
        gateway.stores.responses.keep = away
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

        told = play.replicas[0].gateway.upstream.quota_tracker._parsed
        assert [quota.plan for _, quota in told.values()] == [play.sim.account("ada").plan]


async def test_it_is_heard_of_a_client_that_leaves(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        play.sim.script("slow")
        told = play.replicas[0].gateway.upstream.quota_tracker._parsed
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


def reachable(task: Any) -> list[Any]:
    """What the frames of a task hold, and what these hold."""
    seen, frontier, reached = {id(task)}, [task.get_coro()], []
    while frontier:
        each = frontier.pop()
        reached.append(each)
        if isinstance(each, types.FunctionType):
            found = [cell.cell_contents for cell in each.__closure__ or ()]
        elif isinstance(each, types.ModuleType | type | asyncio.AbstractEventLoop):
            continue
        else:
            found = gc.get_referents(each)
        for value in found:
            if id(value) not in seen and not type(value).__module__.startswith(OUTSIDE):
                seen.add(id(value))
                frontier.append(value)
    return reached


OUTSIDE = (
    "codex_proapi.simulator",
    "uvicorn",
    "asyncio",
    "_asyncio",
    "pytest",
    "_pytest",
    "httptools",
)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
async def test_while_an_answer_streams_its_request_is_not_held(redis_url: str, path: str) -> None:
    size = 900_000
    content = "write 300000 words " + "y" * size
    body = a_chat(content) if path.endswith("completions") else a_response(content, store=False)
    async with stage(redis_url, "ada") as play:
        replica = play.replicas[0]
        async with reading(replica, path, {**body, "stream": True}) as answer:
            assert answer.status == 200
            await answer.content.readany()
            [exchange] = replica.gateway.in_flight._exchanges

            assert (exchange.body, exchange.hold.size) == (b"", 0)
            held = reachable(exchange.task)
            assert max(len(each) for each in held if isinstance(each, str | bytes)) < size // 2


async def test_while_an_answer_streams_neither_headers_nor_what_a_retry_takes_are_held(
    redis_url: str,
) -> None:
    filler = "f" * 3000
    headers = {"x-filler": filler}
    async with stage(redis_url, "ada") as play:
        replica = play.replicas[0]
        body = {**a_chat("write 300000 words"), "stream": True}
        async with reading(replica, "/v1/chat/completions", body, **headers) as answer:
            assert answer.status == 200
            await answer.content.readany()
            [exchange] = replica.gateway.in_flight._exchanges

            held = reachable(exchange.task)
            texts = [each for each in held if isinstance(each, str | bytes)]
            assert filler not in texts
            assert filler.encode() not in texts
            assert any(each is exchange for each in held)
            assert not [each for each in held if isinstance(each, DispatchState | PoolState)]


async def test_a_body_beyond_what_the_process_may_hold_is_refused_and_others_are_served(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada") as play:
        budget = play.replicas[0].gateway.services.bodies
        hold = BodyHold(budget)
        hold.take(256 << 20)

        refused = await play.chat()
        hold.release()
        served = await play.chat()

        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server_overloaded")
        assert served.status_code == 200
        assert budget.held == 0
