"""One route from end to end, where it is not a journey of its own."""

import asyncio
import gzip
from typing import Any

import msgspec
import pytest
import zstandard
from support.gateways import a_chat, events_of, reading, stage

from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.errors import UnknownModel
from codex_proapi.gateway.limits.key_claims import Claims
from codex_proapi.gateway.limits.limit_charge import LimitCharge

CODEX = {"originator": "codex_exec", "session-id": "s1"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"no json", None),
        (b"[]", None),
        (b"\xff\xfe", None),
        (b"[" * 100_000, None),
        (b'{"model":"gpt-5.5","messages":' + b'[{"content":' * 5000, None),
        (b'{"model":"gpt-5.5"}', "messages"),
        (b'{"model":"gpt-5.5","messages":[]}', "messages"),
    ],
)
async def test_a_body_that_asks_for_nothing_is_a_400_that_says_so(
    redis_url: str, body: Any, param: Any
) -> None:
    async with stage(redis_url, "ada") as play:
        answer = await play.client.post("/v1/chat/completions", content=body)

        assert answer.status_code == 400
        error = answer.json()["error"]
        assert error["type"] == "invalid_request_error"
        assert error["message"]
        if param:
            assert error["param"] == param
        [record] = await play.records()
        assert (record.ending, record.status) == (Ending.REFUSED, 400)
        assert play.sim.turns == []


async def test_a_packed_body_is_served(redis_url: str) -> None:
    body = msgspec.json.encode(a_chat())
    async with stage(redis_url, "ada") as play:
        for packing, packed in (
            ("gzip", gzip.compress(body)),
            ("zstd", zstandard.ZstdCompressor().compress(body)),
        ):
            answer = await play.client.post(
                "/v1/chat/completions", content=packed, headers={"content-encoding": packing}
            )
            assert answer.status_code == 200


async def test_a_large_body_is_served_and_a_larger_one_refused(redis_url: str) -> None:
    picture = "data:image/png;base64," + "A" * (33 * 1024 * 1024)
    part = {"type": "image_url", "image_url": {"url": picture}}
    large = a_chat()
    large["messages"][0]["content"] = [{"type": "text", "text": "say hello"}, part]
    async with stage(redis_url, "ada") as play:
        served = await play.client.post("/v1/chat/completions", json=large)
        refused = await play.client.post(
            "/v1/chat/completions", content=b" " * (64 * 1024 * 1024 + 1)
        )

        assert served.status_code in {200, 400}, served.text[:300]
        assert len(play.sim.turns) == 1
        assert (refused.status_code, refused.json()["error"]["code"]) == (
            413,
            "request_too_large",
        )


async def test_requests_whose_key_is_being_looked_up_count(redis_url: str) -> None:
    async with stage(redis_url, "ada", max_concurrent=2) as play:
        gateway = play.replicas[0].gateway
        authenticate, go_on = gateway.stores.authenticator.authenticate, asyncio.Event()

        async def slow(caller: Any) -> Any:
            await go_on.wait()
            return await authenticate(caller)

        gateway.stores.authenticator.authenticate = slow
        asked = [asyncio.ensure_future(play.chat()) for _ in range(2)]
        await play.until(lambda: gateway.in_flight.arriving == 2)
        refused = await play.chat()
        go_on.set()
        served = await asyncio.gather(*asked)

        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server_overloaded")
        assert [answer.status_code for answer in served] == [200, 200]
        assert (await play.chat()).status_code == 200


async def test_an_unknown_model_names_those_there_are(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        answer = await play.chat(model="claude-opus")

        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
        assert "gpt-5.5" in answer.json()["error"]["message"]


async def test_at_the_end_of_the_drain_a_stream_is_ended_honestly(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        play.sim.script("silent_between", silence=60, words=2, times=None)
        replica = play.replicas[0]
        async with reading(
            replica, "/v1/chat/completions", a_chat("count to 9", stream=True)
        ) as answer:
            first = await answer.content.readany()
            replica.gateway.end_drain()
            rest = await answer.read()
        whole = asyncio.ensure_future(play.chat("count to 9"))
        await play.until(lambda: len(replica.gateway.in_flight) == 1)
        replica.gateway.end_drain()

        assert b"restarting" in rest
        assert events_of(first + rest)[-1]["error"]["code"] == "server_overloaded"
        assert (await whole).status_code == 503
        records = await play.records(2)
        assert {r.code for r in records} == {"server_overloaded"}
        assert records[0].ending is Ending.BROKEN


async def test_a_fault_of_our_own_is_a_500_without_its_cause(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:

        async def crash(*_: Any) -> None:
            raise ValueError("secret cause")

        play.replicas[0].gateway.pool.dispatcher.dispatch = crash
        answer = await play.chat()

        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
        assert "secret" not in answer.text
        [record] = await play.records()
        assert (record.ending, record.code) == (Ending.REFUSED, "internal_error")


async def test_a_store_that_goes_away_under_way_is_a_503(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:

        async def away(*_: Any) -> None:
            raise StoreUnavailable("away")

        play.replicas[0].gateway.pool.dispatcher.dispatch = away
        answer = await play.chat()

        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")


async def test_while_redis_is_full_nobody_is_admitted_and_nothing_is_forgotten(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada") as play:
        before = await play.chat()
        await play.redis.config_set("maxmemory-policy", "noeviction")
        await play.redis.config_set("maxmemory", "1")
        try:
            refused = await play.chat()
        finally:
            await play.redis.config_set("maxmemory", "0")
        while (await play.client.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.01)
        after = await play.chat()

        assert (before.status_code, after.status_code) == (200, 200)
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "store_unavailable"
        records = await play.records(3)
        assert sorted(record.status for record in records) == [200, 200, 503]
        failed = play.replicas[0].gateway.metrics.redis_errors.labels("survey")._value.get()
        assert failed >= 1, "and whoever looks meanwhile whether Redis is back"


async def test_who_is_refused_and_leaves_while_its_permit_is_given_back_is_still_refused(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada") as play:
        gateway, interrupted = play.replicas[0].gateway, []

        async def refuse(state: Any) -> None:
            charge = LimitCharge(
                key_id="k", limits=Limits(concurrent=1), request_id="r", version=0, tokens=1
            )
            state.exchange.claims = Claims(charge=charge)
            interrupted.append(state.exchange)
            raise UnknownModel("There is no such model.")

        async def free(_: Any) -> None:
            interrupted[0].interrupt(None)
            await asyncio.sleep(0)

        gateway.pool.dispatcher.dispatch = refuse
        gateway.stores.stream_permits.free = free
        answer = await play.chat()

        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
        [record] = await play.records()
        assert (record.ending, record.code) == (Ending.REFUSED, "model_not_found")


async def test_a_client_that_leaves_while_it_sends_is_nobodys_fault(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        reader, writer = await asyncio.open_connection("127.0.0.1", play.replicas[0].port)
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 99999\r\n\r\n{"
        writer.write(head)
        await play.until(lambda: len(play.replicas[0].gateway.in_flight) == 1)
        writer.close()

        [record] = await play.records()
        assert (record.ending, record.status) == (Ending.ABANDONED, 499)
        assert reader is not None
