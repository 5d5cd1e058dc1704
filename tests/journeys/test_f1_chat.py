"""F1: one chat request, from the first header to the settled record."""

import asyncio
import io
import socket
from typing import Any

import msgspec
import pytest
import structlog
from support.gateways import a_chat, events_of, reading, stage, text_of
from support.redis_server import RedisServer

from codex_proapi.commons.cluster.live_settings import KeyPolicy
from codex_proapi.commons.runtime.logging import configure
from codex_proapi.commons.usage.exchange_record import Ending


async def test_a_chat_request_is_answered_and_settled_once(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        answer = await play.chat("say hello")

        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["choices"][0]["message"]["content"] == "hello"
        assert body["choices"][0]["finish_reason"] == "stop"
        [record] = await play.records()
        assert record.ending is Ending.WHOLE
        assert record.request_id == answer.headers["x-request-id"]
        assert record.tokens.total == body["usage"]["total_tokens"] > 0
        assert (record.asked_model, record.sent_model, record.answered_model) == (
            "gpt-5.5",
            "gpt-5.5",
            "gpt-5.5",
        )
        assert record.upstream_request_id.startswith("req_")
        assert 0 < record.first_byte_ms <= record.total_ms


async def test_a_stream_says_the_same_as_the_answer_in_one_piece(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        whole = await play.chat("count to 20")
        streamed = await play.chat("count to 20", stream=True)

        chunks = events_of(streamed.content)
        assert streamed.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert streamed.headers["cache-control"] == "no-cache"
        assert streamed.headers["x-accel-buffering"] == "no"
        assert streamed.headers["access-control-allow-origin"] == "*"
        assert text_of(chunks) == whole.json()["choices"][0]["message"]["content"]
        assert chunks[-1] == "[DONE]"


async def test_one_connection_serves_one_request_after_another_and_so_does_upstreams(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada") as play:
        for n in range(3):
            assert (await play.chat(f"say word{n}", stream=True)).status_code == 200
        client = play.replicas[0].gateway.upstream.client

        assert len(client._all) == len(client.idle) == 1


async def test_a_stream_that_breaks_off_ends_honestly_and_is_settled_broken(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script("failed_after_words", words=3, pace=0.05)

        answer = await play.chat("count to 20", stream=True)

        events = events_of(answer.content)
        assert answer.status_code == 200
        assert text_of(events)
        assert events[-1]["error"]["type"] == "server_error"
        [record] = await play.records()
        assert (record.ending, record.status, len(record.attempts)) == (Ending.BROKEN, 200, 1)
        assert len(play.sim.turns) == 1


@pytest.mark.parametrize("cut", ["close", "reset", "eof"])
async def test_a_connection_lost_after_the_first_word_is_told_and_a_stream_never_retried(
    redis_url: str, cut: Any
) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script("truncated", cut_after=2600, cut=cut)

        streamed = await play.chat("write 400 words", stream=True)
        play.sim.script("truncated", cut_after=2600, cut=cut, times=2)
        whole = await play.chat("write 400 words")

        assert "error" in events_of(streamed.content)[-1]
        assert whole.status_code == 502
        assert whole.json()["error"]["code"] == "upstream_stream_truncated"
        assert len(play.sim.turns) == 3
        records = await play.records(2)
        assert {r.ending for r in records} == {Ending.BROKEN}
        assert sorted(r.status for r in records) == [200, 502]


async def test_a_usage_limit_in_the_middle_of_an_answer_still_cools_its_account(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada") as play:
        play.sim.script("usage_limit_in_stream", words=2, form="both")

        await play.chat("count to 20", stream=True)

        await play.until(lambda: len(play.sim.turns) == 1)
        await play.until_cooling({"ada": "quota"})


@pytest.mark.parametrize("words", [0, 3])
async def test_a_client_that_leaves_ends_the_upstream_and_nobody_is_blamed(
    redis_url: str, words: Any
) -> None:
    async with stage(redis_url, "ada") as play:
        play.sim.script("silent_between" if words else "silent", silence=60, words=words)
        begun = asyncio.Event()

        async def read() -> None:
            body = a_chat("count to 9", stream=True)
            async with reading(play.replicas[0], "/v1/chat/completions", body) as answer:
                await answer.content.readline()
                begun.set()
                await answer.read()

        client = asyncio.ensure_future(read())
        await play.until(lambda: begun.is_set() if words else play.sim.turns)
        client.cancel()
        with pytest.raises(asyncio.CancelledError):
            await client

        await play.until(lambda: play.sim.turns[0].ending)
        assert play.sim.turns[0].ending == "client_left"
        assert play.sim.turns[0].ended_at - play.sim.turns[0].at < 60, "not when it had been silent"
        [record] = await play.records()
        assert record.ending is Ending.ABANDONED
        assert record.status == (200 if words else 499)
        await play.until_cooling({})
        assert len(play.replicas[0].gateway.in_flight) == 0


async def test_a_slow_reader_holds_upstream_back_instead_of_filling_the_memory(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada") as play:
        replica = play.replicas[0]
        body = b'{"model":"gpt-5.5","stream":true,"messages":[{"role":"user","content":"write 300000 words"}]}'
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            raw.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(raw, ("127.0.0.1", replica.port))
            head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
            await loop.sock_sendall(raw, head % len(body) + body)
            await play.until(lambda: play.sim.turns and play.sim.turns[0].bytes_sent > 100_000)
            # On a busy machine nothing may be sent for a while although nobody holds it back.
            await play.until(lambda: any(each.write_paused for each in replica.connections))
            sent = -1
            while sent != play.sim.turns[0].bytes_sent:
                sent = play.sim.turns[0].bytes_sent
                await asyncio.sleep(0.3)

            [connection] = [c for c in replica.connections if c.write_paused]
            assert sent < 12_000_000
            assert play.sim.turns[0].ending == ""
            assert connection.transport.get_write_buffer_size() < 1_000_000
            for _ in range(62):
                connection.sweep()
            await play.until(lambda: play.sim.turns[0].ending == "client_left")
        [record] = await play.records()
        assert record.ending is Ending.ABANDONED


async def test_without_a_key_nobody_is_served_once_one_is_required(redis_url: str) -> None:
    async with stage(redis_url, "ada", api_key_policy=KeyPolicy.REQUIRED) as play:
        _, secret = await play.make_key()

        refused = [
            await play.chat(),
            await play.chat(headers={"authorization": "Bearer wrong"}),
            await play.client.get("/v1/models"),
        ]
        served = [
            await play.chat(headers=headers)
            for headers in (
                {"authorization": f"Bearer {secret}"},
                {"authorization": f"bearer   {secret}"},
                {"x-api-key": secret},
                {"api-key": secret},
            )
        ]

        assert {a.status_code for a in refused} == {401}
        assert {a.json()["error"]["code"] for a in refused} == {"invalid_api_key"}
        assert [a.status_code for a in served] == [200] * 4
        record = (await play.records(4))[0]
        assert record.key_name == "test"


async def test_the_open_policy_ends_with_the_first_key(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        before = await play.chat(headers={"authorization": "Bearer anything"})
        _, secret = await play.make_key()
        after = await play.chat(headers={"authorization": "Bearer anything"})
        with_key = await play.chat(headers={"authorization": f"Bearer {secret}"})

        assert (before.status_code, after.status_code, with_key.status_code) == (200, 401, 200)


async def test_a_revoked_key_is_refused_at_once_on_every_replica(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        second = await play.add_replica()
        key, secret = await play.make_key()
        headers = {"authorization": f"Bearer {secret}"}
        both = [play.replicas[0].url, second.url]
        for url in both:
            served = await play.client.post(
                f"{url}/v1/chat/completions", json=a_chat(), headers=headers
            )
            assert served.status_code == 200

        await play.keys.revoke(key.id)

        for url in both:
            refused = await play.client.post(
                f"{url}/chat/completions", json=a_chat(), headers=headers
            )
            assert refused.status_code == 401
        assert len(play.sim.turns) == 2


async def test_a_key_may_be_kept_to_some_models_and_accounts(redis_url: str) -> None:
    async with stage(redis_url) as play:
        _, ben = await play.log_in("ada", "ben")
        _, secret = await play.make_key(allowed_models=("gpt-5.5",), allowed_accounts=(ben,))
        headers = {"authorization": f"Bearer {secret}"}

        allowed = await play.chat(headers=headers)
        refused = await play.chat(headers=headers, model="gpt-6-sol")
        listed = await play.client.get("/v1/models", headers=headers)

        assert allowed.status_code == 200
        assert play.sim.turns[0].account == "ben"
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")
        assert [model["id"] for model in listed.json()["data"]] == ["gpt-5.5"]


async def test_over_its_limit_a_replica_refuses_at_once(redis_url: str) -> None:
    async with stage(redis_url, "ada", max_concurrent=2) as play:
        play.sim.script("silent", silence=3600, times=2)
        busy = [asyncio.ensure_future(play.chat(f"say word{n}")) for n in range(2)]
        await play.until(lambda: len(play.replicas[0].gateway.in_flight) == 2)

        refused = await play.chat()

        assert not any(each.done() for each in busy), "it waited for nobody"
        play.sim.hurry()
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert [(await answer).status_code for answer in busy] == [200, 200]


async def test_without_an_account_the_answer_says_so(redis_url: str) -> None:
    async with stage(redis_url) as play:
        answer = await play.chat()

        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_accounts")
        assert answer.headers["x-should-retry"] == "false"


async def test_while_redis_is_away_nobody_is_admitted_and_what_was_served_is_counted_later(
    redis_server: RedisServer, redis_url: str
) -> None:
    assert redis_url  # an empty database; what is away is noticed after a second, as in production
    async with stage(redis_server.url, "ada") as play:
        play.sim.script("silent_between", silence=1.5, words=1)
        under_way = asyncio.ensure_future(play.chat("count to 9"))
        await play.until(lambda: play.sim.turns)
        redis_server.freeze()
        try:
            refused = await play.chat()
            ready = await play.client.get("/readyz")
            finished = await under_way
        finally:
            redis_server.thaw()

        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")
        assert ready.status_code == 503
        assert finished.status_code == 200
        records = await play.records(2)
        assert sorted(r.status for r in records) == [200, 503]
        assert (await play.client.get("/readyz")).status_code == 200


DRIVE_BY = [
    {"origin": "https://evil.example", "content-type": "text/plain"},
    {"origin": "null"},
    {"host": "evil.example"},
    {"host": "evil.example:1455", "origin": "http://evil.example:1455"},
]


@pytest.mark.parametrize("headers", DRIVE_BY)
async def test_while_no_key_is_needed_no_foreign_page_is_served(
    redis_url: str, headers: Any
) -> None:
    async with stage(redis_url, "ada") as play:
        body = msgspec.json.encode(a_chat())
        for path in ("/v1/chat/completions", "/v1/responses", "/v1/responses/compact"):
            refused = await play.client.post(path, content=body, headers=headers)
            assert (refused.status_code, refused.json()["error"]["code"]) == (
                403,
                "origin_not_allowed",
            )
        for path in ("/v1/models", "/api/codex/usage"):
            assert (await play.client.get(path, headers=headers)).status_code == 403
        if "origin" in headers:
            asked = {**headers, "access-control-request-method": "POST"}
            preflight = await play.client.options("/v1/chat/completions", headers=asked)
            assert preflight.status_code == 403
        assert play.sim.turns == []

        near = await play.chat(headers={"origin": "http://localhost:3000"})
        assert near.status_code == 200

        _, secret = await play.make_key()
        for replica in play.replicas:
            replica.gateway.stores.authenticator.forget()
        with_key = await play.chat(headers={**headers, "authorization": f"Bearer {secret}"})
        assert with_key.status_code == 200
        assert with_key.headers["access-control-allow-origin"] == "*"
        preflight = await play.client.options("/v1/chat/completions", headers=headers)
        assert preflight.status_code == 204


async def test_every_line_of_a_request_names_it_its_client_and_its_key(
    redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    proxy = {"x-forwarded-for": "198.51.100.7, 203.0.113.9"}
    stream = io.StringIO()
    configure("info", stream=stream)
    try:
        async with stage(redis_url, "ada", api_key_policy=KeyPolicy.REQUIRED) as play:
            key, secret = await play.make_key()
            refused = await play.chat(headers={"authorization": "Bearer sk-wrong", **proxy})
            lost = await play.client.get("/v1/nothing", headers=proxy)
            served = await play.chat(headers={"authorization": f"Bearer {secret}", **proxy})

            async def crash(*_: Any) -> None:
                raise ValueError("cause")

            play.replicas[0].gateway.pool.dispatcher.dispatch = crash
            crashed = await play.chat(headers={"authorization": f"Bearer {secret}"})
    finally:
        structlog.reset_defaults()
    written = stream.getvalue() + capsys.readouterr().out
    lines = [msgspec.json.decode(line) for line in written.splitlines() if line.startswith("{")]
    by_request: dict[str, list[Any]] = {}
    for line in lines:
        by_request.setdefault(line.get("request_id", ""), []).append(line)

    for answer, event, status in (
        (refused, "request.refused", 401),
        (lost, "request.refused", 404),
    ):
        [line] = by_request[answer.headers["x-request-id"]]
        assert (line["event"], line["status"], line["client"]) == (event, status, "203.0.113.9")
    [settled] = [
        line
        for line in by_request[served.headers["x-request-id"]]
        if line["event"] == "exchange.settled"
    ]
    assert (settled["client"], settled["key_name"]) == ("203.0.113.9", key.name)
    assert crashed.status_code == 500
    crash_line = next(
        line
        for line in by_request[crashed.headers["x-request-id"]]
        if line["event"] == "request.crashed"
    )
    assert (crash_line["client"], crash_line["key_name"]) == ("127.0.0.1", key.name)
    assert secret not in written
