"""What the log knows of requests that never became an answer."""

import pytest
from support.gateways import a_response, stage
from support.sockets import BETA, socket_to, text_of, user

from codex_proapi.commons.cluster.live_settings import KeyPolicy


async def test_the_log_knows_the_model_of_a_refused_request_and_who_came_with_a_wrong_key(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada", api_key_policy=KeyPolicy.REQUIRED) as play:
        _, secret = await play.make_key()
        headers = {"authorization": f"Bearer {secret}"}
        answers = [
            await play.chat(headers=headers, model="gpt-17-nope"),
            await play.chat(headers=headers, model="gpt-6-sol", messages=5),
            await play.chat(headers=headers, model="sk-proj-aaaaaaaaaaaaaaaaaaaaaaaa"),
            await play.client.get("/v1/models", headers={"x-api-key": "cpa-mistyped"}),
        ]
        told = [await play.logged(answer.headers["x-request-id"]) for answer in answers]

        assert [entry.status for entry in told] == [404, 400, 404, 401]
        asked = [entry.exchange.asked_model if entry.exchange else None for entry in told]
        assert asked == ["gpt-17-nope", "gpt-6-sol", "[redacted]", None]
        assert (told[3].event, told[3].detail["reason"]) == ("key.refused", "unknown")


@pytest.mark.parametrize("client", [{}, {"originator": "codex_cli_rs"}])
async def test_an_image_that_is_refused_is_the_error_of_one_turn_and_not_the_end_of_a_session(
    redis_url: str, client: dict[str, str]
) -> None:
    broken = {"type": "input_image", "image_url": "data:image/png;base64,!!!!"}
    shown = {
        "type": "message",
        "role": "user",
        "content": [broken, {"type": "input_text", "text": "what is it?"}],
    }
    async with (
        stage(redis_url, "ada", "ben") as play,
        socket_to(play.replicas[0].url + "/v1/responses", {**BETA, **client}) as socket,
    ):
        [refused] = await socket.turn(input=[shown])
        went_on = await socket.turn(input=[shown, user("say hello")])
        posted = await play.client.post(
            "/v1/responses", json=a_response([shown, user("say hello")]), headers=client
        )

        assert (refused["status"], refused["error"]["type"]) == (400, "invalid_request_error")
        assert "image" in refused["error"]["message"]
        assert text_of(went_on) == "hello"
        assert posted.status_code == 200
        first, second, third = sorted(await play.records(3), key=lambda record: record.at)
        assert len(first.attempts) == 1
        assert [each.repair for each in second.attempts] == ["without_images", ""]
        assert [each.verdict for each in third.attempts][-1] == "committed"
