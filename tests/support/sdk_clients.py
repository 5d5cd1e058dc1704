"""The official Python SDK as a strict reader of our streams, without a socket."""

import httpx2
import openai


def client(stream: bytes) -> openai.OpenAI:
    """A client whose every request is answered with these bytes."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        headers = {"content-type": "text/event-stream; charset=utf-8"}
        return httpx2.Response(200, headers=headers, content=stream)

    transport = httpx2.Client(transport=httpx2.MockTransport(answer))
    return openai.OpenAI(
        api_key="sk-test", base_url="http://gateway/v1", http_client=transport, max_retries=0
    )
