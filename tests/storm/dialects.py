"""How the clients of a storm ask, in either dialect, and how they read what an answer cost."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass
class Spent:
    """What whole answers cost."""

    answers: int = 0
    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def tokens(self) -> int:
        """What limits count."""
        return self.input + self.output

    def add(self, cost: "Spent") -> None:
        """Take a cost into this sum."""
        for name in Spent.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(cost, name))


@dataclass(frozen=True)
class Dialect:
    """One endpoint: what is written to it and read from it."""

    path: str
    body: Callable[[str, str, bool], dict[str, Any]]
    """From model, prompt and whether it is streamed."""
    cost: Callable[[bytes, bool], Spent | None]
    """Of an answer, streamed or not; None for one that is not whole."""


def _chat_body(model: str, prompt: str, streamed: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    return {**body, "stream": True, "stream_options": {"include_usage": True}} if streamed else body


def _chat_cost(answer: bytes, streamed: bool) -> Spent | None:
    if streamed and not answer.rstrip().endswith(b"data: [DONE]"):
        return None
    last = _events(answer)[-1] if streamed else msgspec.json.decode(answer)
    return _cost(last.get("usage"), "prompt_tokens", "completion_tokens")


def _response_body(model: str, prompt: str, streamed: bool) -> dict[str, Any]:
    return {"model": model, "input": prompt, "stream": streamed}


def _response_cost(answer: bytes, streamed: bool) -> Spent | None:
    if not streamed:
        return _cost(msgspec.json.decode(answer).get("usage"), "input_tokens", "output_tokens")
    last = next(iter(_events(answer)[-1:]), {})
    if last.get("type") != "response.completed":
        return None
    return _cost(last["response"].get("usage"), "input_tokens", "output_tokens")


def _events(answer: bytes) -> list[dict[str, Any]]:
    lines = [line[6:] for line in answer.split(b"\n\n") for line in line.split(b"\n")[-1:]]
    return [msgspec.json.decode(line) for line in lines if line.startswith(b"{")]


def _cost(usage: Any, in_: str, out: str) -> Spent | None:
    if not isinstance(usage, dict):
        return None
    return Spent(
        answers=1,
        input=usage[in_],
        cached=(usage.get(f"{in_}_details") or {}).get("cached_tokens", 0),
        output=usage[out],
        reasoning=(usage.get(f"{out}_details") or {}).get("reasoning_tokens", 0),
    )


DIALECTS = (
    Dialect("/v1/chat/completions", _chat_body, _chat_cost),
    Dialect("/v1/responses", _response_body, _response_cost),
)
