"""Legacy completions, as the official SDK asks for them, over a real gateway."""

from typing import Any

import openai
import pytest
from support.gateways import Stage, stage

MODEL = "gpt-5.5"


def client(play: Stage) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{play.replicas[0].url}/v1", api_key="any", max_retries=0)


@pytest.mark.parametrize("prompt", ["say hello", ["say hello"]])
async def test_a_prompt_is_answered_whole(redis_url: str, prompt: Any) -> None:
    async with stage(redis_url, "ada") as play, client(play) as sdk:
        answer = await sdk.completions.create(
            model=MODEL, prompt=prompt, max_tokens=9, temperature=0, logprobs=0
        )

        assert answer.object == "text_completion"
        assert answer.id.startswith("cmpl-")
        assert answer.model == MODEL
        [choice] = answer.choices
        assert (choice.text, choice.finish_reason, choice.logprobs) == ("hello", "stop", None)
        assert answer.usage is not None
        assert answer.usage.total_tokens > 0
        [record] = await play.records()
        assert record.endpoint == "completions"
        assert set(record.dropped) >= {"max_tokens", "temperature", "logprobs"}


@pytest.mark.parametrize("echo", [False, True])
async def test_a_prompt_is_answered_in_chunks(redis_url: str, *, echo: bool) -> None:
    async with stage(redis_url, "ada") as play, client(play) as sdk:
        stream = await sdk.completions.create(
            model=MODEL,
            prompt="count to 5",
            stream=True,
            stream_options={"include_usage": True},
            echo=echo,
        )
        chunks = [chunk async for chunk in stream]

        *told, last, usage = chunks
        text = "".join(chunk.choices[0].text for chunk in told)
        whole = await sdk.completions.create(model=MODEL, prompt="count to 5", echo=echo)
        assert text == whole.choices[0].text
        assert text.startswith("count to 5") is echo
        assert last.choices[0].finish_reason == "stop"
        assert usage.choices == []
        assert usage.usage is not None
        assert {(chunk.id, chunk.object) for chunk in chunks} == {(usage.id, "text_completion")}


async def test_the_text_ends_at_a_stop_string(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play, client(play) as sdk:
        answer = await sdk.completions.create(model=MODEL, prompt="count to 5", stop="3")

        [choice] = answer.choices
        assert "2" in choice.text
        assert "3" not in choice.text
        assert choice.finish_reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_upstream_cut_says_so(redis_url: str, *, stream: bool) -> None:
    async with stage(redis_url, "ada") as play:
        play.sim.script("incomplete")
        answer = await play.client.post(
            "/completions", json={"model": MODEL, "prompt": "count to 5", "stream": stream}
        )

        assert '"finish_reason":"length"' in answer.text


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({}, "prompt", "missing_required_parameter"),
        ({"prompt": None}, "prompt", "missing_required_parameter"),
        *(
            ({"prompt": prompt}, "prompt", "unsupported_value")
            for prompt in (["a", "b"], "", [], [""], [1, 2], [[1, 2]], [[1], [2]], 7, {"a": 1})
        ),
        ({"prompt": "a", "suffix": "b"}, "suffix", "unsupported_parameter"),
        ({"prompt": "a", "best_of": 2}, "best_of", "unsupported_value"),
        ({"prompt": "a", "n": 2}, "n", "unsupported_value"),
        ({"prompt": "a", "stop": ["s"] * 5}, "stop", None),
        ({"prompt": "a", "stop": [3]}, "stop", None),
        ({"prompt": "a", "stop": 7}, "stop", None),
        ({"prompt": "a", "stop": {}}, "stop", None),
        ({"prompt": "a", "echo": "yes"}, "echo", None),
        ({"prompt": "a", "stream": "yes"}, "stream", None),
    ],
)
async def test_what_cannot_be_served_is_named(
    redis_url: str, fields: Any, param: str, code: str | None
) -> None:
    async with stage(redis_url, "ada") as play:
        answer = await play.client.post("/v1/completions", json={"model": MODEL, **fields})

        error = answer.json()["error"]
        assert (answer.status_code, error["param"], error["code"]) == (400, param, code)
        assert play.sim.turns == []


async def test_nothing_but_the_prompt_is_read_of_other_dialects(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        other = {
            "messages": [{"role": "user", "content": "say messages"}],
            "input": "say input",
            "instructions": "say instructions",
            "tools": [{"type": "web_search"}],
            "previous_response_id": "resp_1",
            "suffix": "",
            "best_of": 1,
            "logit_bias": {},
        }
        answer = await play.client.post(
            "/v1/completions", json={"model": MODEL, "prompt": "say hello", **other}
        )

        assert answer.json()["choices"][0]["text"] == "hello"
        [turn] = play.sim.turns
        assert len(turn.body["input"]) == 1
        assert "tools" not in turn.body
        dropped = set(answer.headers["x-dropped-parameters"].split(", "))
        assert dropped >= {"messages", "tools", "previous_response_id", "logit_bias"}
