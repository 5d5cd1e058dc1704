"""F3: an answer begins before the backend says a word, and failover goes on behind its beginning."""

from typing import Any

import msgspec
import pytest
from support.gateways import (
    Stage,
    a_chat,
    a_response,
    events_of,
    reading,
    stage,
    text_of,
)

from codex_proapi.commons.usage.exchange_record import Ending


async def early(play: Stage, path: str, body: Any, **headers: str) -> Any:
    """A whole answer that begins while the backend is silent: it speaks only once that is here.

    Gives its status, its content type and its bytes.
    """
    async with reading(play.replicas[0], path, body, **headers) as answer:
        begun = await answer.content.readany()
        assert play.sim.turns[-1].ending == "", "the last of them is still silent"
        play.sim.hurry()
        return answer.status, answer.content_type, begun + await answer.read()


async def test_after_ten_silent_seconds_a_stream_begins_while_failover_goes_on(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada", "ben", commit_patience=1) as play:
        play.sim.script("overloaded", account="ada", times=1, delay=3600)
        play.sim.script("overloaded", account="ben", times=1, delay=3600)

        status, _, body = await early(play, "/v1/chat/completions", a_chat(stream=True))

        assert status == 200
        assert body.startswith(b": keep-alive\n\n")
        assert text_of(events_of(body)) == "hello"


async def test_a_failure_after_an_early_start_is_an_error_event(redis_url: str) -> None:
    async with stage(redis_url, "ada", commit_patience=1) as play:
        play.sim.script("context_length_exceeded", delay=3600)

        status, _, body = await early(play, "/v1/chat/completions", a_chat(stream=True))

        assert status == 200
        [error] = [event for event in events_of(body) if "error" in event]
        assert error["error"]["code"] == "context_length_exceeded"
        assert b"[DONE]" not in body
        [record] = await play.records()
        assert (record.ending, record.status) == (Ending.BROKEN, 200)


async def test_a_whole_answer_begins_with_blanks_while_failover_goes_on(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben", whole_patience=1) as play:
        play.sim.script("overloaded", account="ada", times=2, delay=3600)
        play.sim.script("overloaded", account="ben", times=1, delay=3600)

        status, kind, body = await early(play, "/v1/chat/completions", a_chat())

        assert (status, body[:1], kind) == (200, b" ", "application/json")
        assert msgspec.json.decode(body)["choices"][0]["message"]["content"] == "hello"
        assert len((await play.records())[0].attempts) > 1


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages"])
async def test_a_failure_behind_blanks_has_its_status_in_the_body_and_in_the_log(
    redis_url: str, path: str
) -> None:
    async with stage(redis_url, "ada", whole_patience=1) as play:
        play.sim.script("context_length_exceeded", delay=3600)
        asked = {"/v1/responses": a_response(), "/v1/messages": {**a_chat(), "max_tokens": 9}}

        status, _, body = await early(play, path, asked.get(path, a_chat()))

        assert (status, body[:1]) == (200, b" ")
        error = msgspec.json.decode(body)["error"]
        assert error["status"] == 400
        assert "message" in error
        [record] = await play.records()
        assert (record.ending, record.status) == (Ending.REFUSED, 400)
        assert record.code == "context_length_exceeded"


async def test_a_codex_client_gets_events_as_keep_alives(redis_url: str) -> None:
    async with stage(redis_url, "ada", commit_patience=1) as play:
        play.sim.script("silent", silence=3600)

        body = a_response(stream=True)
        _, _, said = await early(play, "/v1/responses", body, originator="codex_exec")

        assert said.startswith(b'event: keepalive\ndata: {"type":"keepalive"}\n\n')
        assert events_of(said)[-1]["type"] == "response.completed"
