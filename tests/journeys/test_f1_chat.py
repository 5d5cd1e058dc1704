"""F1: one chat request, from the first header to the settled record."""

from support.gateways import a_chat, events_of, stage, text_of

from commons.records import Ending


async def test_a_chat_request_is_answered_and_settled_once(redis_url):
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


async def test_a_stream_says_the_same_as_the_answer_in_one_piece(redis_url):
    async with stage(redis_url, "ada") as play:
        whole = await play.chat("count to 20")
        streamed = await play.chat("count to 20", stream=True)

        chunks = events_of(streamed.content)
        assert streamed.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert text_of(chunks) == whole.json()["choices"][0]["message"]["content"]
        assert chunks[-1] == "[DONE]"
