"""F2: one Responses request; Codex gets upstream's bytes, everybody else the public API."""

import asyncio
import time

import httpx
import pytest
from support.gateways import PATIENCE_SECONDS, Stage, a_response, events_of, stage

from codex_proapi.commons.usage.exchange_record import Ending

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


async def test_a_stream_has_the_public_events_and_a_whole_response_at_its_end(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada") as play:
        answer = await play.client.post("/v1/responses", json=a_response("say hello", stream=True))

        events = events_of(answer.content)
        assert events[0]["type"] == "response.created"
        assert events[-1]["type"] == "response.completed"
        assert not [e for e in events if e["type"].startswith("codex.")]
        assert [e["sequence_number"] for e in events] == list(range(len(events)))
        message = events[-1]["response"]["output"][-1]
        assert message["content"][0]["text"] == "hello"
        [record] = await play.records()
        assert (record.endpoint, record.ending) == ("responses", Ending.WHOLE)
        assert record.tokens.total > 0


async def listed_for_codex(play: Stage) -> httpx.Response:
    """The models as the Codex CLI asks for them."""
    return await play.client.get("/v1/models", params={"client_version": "0.171.0"})


async def test_codex_gets_the_bytes_of_upstream(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (await listed_for_codex(play)).json()["models"]:
            assert time.monotonic() < deadline, "the account's models were not fetched"
            await asyncio.sleep(0.02)
        answer = await play.client.post(
            "/v1/responses",
            json=a_response("say hello", stream=True, store=False),
            headers={"originator": "codex_exec", "session-id": "s1"},
        )

        assert [e for e in events_of(answer.content) if e["type"].startswith("codex.")]
        assert play.sim.turns[0].headers["session-id"]
        assert answer.headers["x-codex-turn-state"].startswith("acc_")
        listed = await listed_for_codex(play)
        rows = {row["slug"]: row for row in listed.json()["models"]}
        assert rows["codex"]["base_instructions"] == rows["gpt-6.2-sol"]["base_instructions"]
        assert answer.headers["x-models-etag"] == listed.headers["etag"]


async def test_an_answer_in_one_piece_is_the_finished_response(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        answer = await play.client.post("/responses", json=a_response("say hello"))

        body = answer.json()
        assert (body["object"], body["status"]) == ("response", "completed")
        assert body["output"][-1]["content"][0]["text"] == "hello"


async def test_a_response_can_be_continued_by_its_id_at_once_and_only_by_its_key(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada") as play:
        _, secret = await play.make_key()
        _, other = await play.make_key()
        mine = {"authorization": f"Bearer {secret}"}
        first = await play.client.post(
            "/v1/responses", json=a_response("say one", stream=True), headers=mine
        )
        response_id = events_of(first.content)[-1]["response"]["id"]

        second = await play.client.post(
            "/v1/responses",
            json=a_response("say two", previous_response_id=response_id),
            headers=mine,
        )
        stolen = await play.client.post(
            "/v1/responses",
            json=a_response("say two", previous_response_id=response_id),
            headers={"authorization": f"Bearer {other}"},
        )

        assert second.status_code == 200, second.text
        assert second.json()["previous_response_id"] == response_id
        texts = [
            part["text"]
            for item in play.sim.turns[1].body["input"]
            if item["type"] == "message" and item["role"] in {"user", "assistant"}
            for part in item["content"]
        ]
        assert texts == ["say one", "one", "say two"]
        assert stolen.status_code == 400
        assert stolen.json()["error"] == {
            "message": f"Previous response with id '{response_id}' not found.",
            "type": "invalid_request_error",
            "param": "previous_response_id",
            "code": "previous_response_not_found",
        }


async def test_items_that_are_only_referred_to_are_put_in(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        first = await play.client.post("/v1/responses", json=a_response("say one"))
        message = first.json()["output"][-1]

        second = await play.client.post(
            "/v1/responses",
            json=a_response(
                [
                    {"role": "user", "content": "say one"},
                    {"type": "item_reference", "id": message["id"]},
                    {"role": "user", "content": "say two"},
                ]
            ),
        )

        assert second.status_code == 200, second.text
        assert "one" in str(play.sim.turns[1].body["input"])


async def test_what_is_not_to_be_stored_is_not(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        first = await play.client.post("/v1/responses", json=a_response("say one", store=False))

        second = await play.client.post(
            "/v1/responses",
            json=a_response("say two", previous_response_id=first.json()["id"]),
        )

        assert second.json()["error"]["code"] == "previous_response_not_found"


async def test_a_history_is_compacted(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        history = [{"role": "user", "content": "say one"}]

        answer = await play.client.post("/v1/responses/compact", json=a_response(history))

        body = answer.json()
        assert answer.status_code == 200, answer.text
        assert body["object"] == "response.compaction"
        assert [item["type"] for item in body["output"]] == ["compaction"]
        [record] = await play.records()
        assert record.endpoint == "compact"


async def test_tools_are_called_and_answered(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        asked = a_response("get_weather for Paris", tools=[WEATHER])
        first = (await play.client.post("/v1/responses", json=asked)).json()
        [call] = [item for item in first["output"] if item["type"] == "function_call"]
        result = {"type": "function_call_output", "call_id": call["call_id"], "output": "rain"}

        second = await play.client.post(
            "/v1/responses",
            json=a_response([result], tools=[WEATHER], previous_response_id=first["id"]),
        )

        assert "rain" in second.json()["output"][-1]["content"][0]["text"]


async def test_a_failure_in_the_stream_is_told_twice_so_that_every_client_sees_it(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada") as play:
        play.sim.script("failed_after_words", words=3, pace=0.05)

        answer = await play.client.post(
            "/v1/responses", json=a_response("count to 20", stream=True)
        )

        failed, error = events_of(answer.content)[-2:]
        assert (failed["type"], error["type"]) == ("response.failed", "error")
        assert failed["response"]["error"]["code"] == error["code"] == "server_error"


@pytest.mark.parametrize("path", ["/v1/responses", "/responses", "/v1/v1/responses/"])
async def test_another_version_of_websocket_is_refused_so_that_clients_fall_back_at_once(
    redis_url: str, path: str
) -> None:
    async with stage(redis_url, "ada") as play:
        answer = await play.client.get(
            path,
            headers={
                "connection": "Upgrade",
                "upgrade": "websocket",
                "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
                "sec-websocket-version": "8",
            },
        )

        assert answer.status_code == 426
        assert answer.json()["error"]["code"] == "websocket_not_supported"
        assert (await play.chat()).status_code == 200
