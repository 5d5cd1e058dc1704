"""A chat translator for tests, and what it says of upstream's events."""

from typing import Any

from support import upstream_says as says
from support.playbook import (
    deltas,
    pumped,
    sse,
    transcript,
)

from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.chat.translator import ChatTranslator

STREAM = transcript("text_reasoning_tool")
ROLE = {"role": "assistant", "content": ""}
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 80},
    "completion_tokens_details": {"reasoning_tokens": 5},
}


def translator(**options: Any) -> ChatTranslator:
    return ChatTranslator(
        ChatOptions(**options), completion_id="chatcmpl-1", created=7, model="asked-model"
    )


def short(*bodies: says.Body, **options: Any) -> list[Any]:
    return deltas(pumped(translator(**options), [sse(*bodies)]))
