"""F3: answers that break off after the first word: another account in one piece, honesty in a stream."""

import asyncio
import time
from typing import Any

import pytest
from support.gateways import a_chat, a_response, stage

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.upstream import http_transport

BROKEN = [
    ("failed_after_words", {}, ""),
    ("ends_early", {}, ""),
    ("truncated", {"cut_after": 2600}, ""),
    ("reset", {"cut_after": 2600}, ""),
    ("garbage_json", {}, ""),
    ("empty_answer", {}, ""),
    ("usage_limit_in_stream", {"words": 2}, "quota"),
    ("rate_limit_in_stream", {"words": 2}, "rate"),
    ("overloaded_in_stream", {"words": 2}, ""),
]
"""What goes wrong after the first word, and why the account is passed over afterwards."""


@pytest.mark.parametrize("route", ["/v1/chat/completions", "/v1/responses"])
@pytest.mark.parametrize(("fault", "fields", "cooling"), BROKEN)
async def test_an_answer_in_one_piece_that_breaks_off_comes_from_another_account(
    redis_url: str, route: Any, fault: Any, fields: Any, cooling: Any
) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script(fault, **fields)
        body = a_chat("say hello there") if "chat" in route else a_response("say hello there")

        answer = await play.client.post(route, json={**body, "stream": False})

        assert answer.status_code == 200, answer.text
        assert "hello there" in answer.text
        assert answer.text.count("hello") == 1
        [record] = await play.records()
        assert (record.ending, record.status) == (Ending.WHOLE, 200)
        assert [a.verdict for a in record.attempts] == ["next_account", "committed"]
        usage = answer.json()["usage"]
        assert record.tokens.total == usage["total_tokens"]
        first = str(play.sim.turns[0].account)
        await play.until_cooling({first: cooling} if cooling else {})


async def test_a_stream_that_breaks_off_is_not_begun_again(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script("failed_after_words")

        answer = await play.chat("say hello there", stream=True)

        assert "error" in answer.text
        assert len(play.sim.turns) == 1


async def test_when_every_answer_breaks_off_for_quota_the_client_learns_until_when(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script("usage_limit_in_stream", times=None, words=2, resets_in=3600)

        answer = await play.chat("say hello there")

        error = answer.json()["error"]
        assert answer.status_code == 429
        assert "retry-after" not in answer.headers
        assert answer.headers["x-should-retry"] == "false"
        assert (error["type"], error["code"]) == ("usage_limit_reached", "rate_limit_exceeded")
        assert error["resets_in_seconds"] > 0
        assert error["resets_at"] > time.time()
        assert error["plan_type"]
        assert len(play.sim.turns) == 2
        [record] = await play.records()
        assert (record.ending, record.status) == (Ending.BROKEN, 429)


async def test_when_every_answer_breaks_off_the_client_is_told_of_the_backend(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada") as play:
        play.sim.script("ends_early", times=None)

        answer = await play.chat("say hello there")

        assert answer.status_code == 502
        assert answer.json()["error"]["code"] == "upstream_stream_truncated"
        assert len(play.sim.turns) == 2


async def test_a_finished_answers_connection_is_kept_although_its_last_chunk_comes_later(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script("slow", times=None, pace=0, late_end=0.05)

        for n in range(8):
            streamed = await play.chat(f"say word{n}", stream=n % 2 == 0)
            assert streamed.status_code == 200
            await play.until(
                lambda: not play.replicas[0].gateway.upstream.transport.closing_streams._ticks
            )
            await asyncio.sleep(0)

        assert len({turn.connection for turn in play.sim.turns}) == 1


async def test_the_connection_of_a_failure_is_kept_although_its_last_chunk_comes_later(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_transport, "CLOSING_TICKS", 1_000_000)
    async with stage(redis_url, "ada") as play:
        play.sim.script("failed", failure="invalid_prompt", times=None, late_end=0.05)

        for n in range(3):
            refused = await play.chat(f"say word{n}", stream=n % 2 == 0)
            assert refused.status_code == 400
            await play.until(
                lambda: not play.replicas[0].gateway.upstream.transport.closing_streams._ticks
            )

        assert len(play.sim.turns) == 3
        assert len({turn.connection for turn in play.sim.turns}) == 1
