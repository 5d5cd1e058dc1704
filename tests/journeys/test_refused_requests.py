"""What the log knows of requests that never became an answer."""

from support.gateways import stage

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
