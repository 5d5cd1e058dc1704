"""Parses a request's input: the last user message, and the tool results since.

Pure. `simulated_model` decides what to reply.
"""

import re
from typing import Any

import msgspec

_INJECTED = re.compile(
    r"<(environment_context|user_instructions|system-reminder|environment_details|INSTRUCTIONS)\b.*?</\1>",
    re.DOTALL,
)
ECHO = re.compile(
    r"\s*(?:please\s+)?(?:echo|say|repeat|(?:reply|answer|respond)(?:\s+(?:only|just|exactly))?\s+with)"
    r"(?:\s+(?:only|just|exactly|the words?|the text|the following|back))*\s*:?\s+(.+)",
    re.IGNORECASE | re.DOTALL,
)
"""A prompt that says what is to be said; the text is its group."""
_QUOTED_WHOLE = re.compile(r"\"[^\"]*\"|'[^']*'")
_CALLS = ("function_call", "custom_tool_call")
_OUTPUTS = ("function_call_output", "custom_tool_call_output", "tool_search_output")


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an input list that matter for a small answer."""

    prompt: str
    """Text of the last user message."""
    surroundings: str
    """All text of the conversation, for facts like the working folder."""
    outputs: tuple[str, ...]
    """What tools answered since then, in order."""
    called: tuple[str, ...]
    """Names of the tools called since then."""
    rounds: int
    """How many times tools have answered since then."""
    compact: bool
    """Whether the input ends with a compaction trigger."""


def read_conversation(items: list[dict[str, Any]]) -> Conversation:
    """Read an input list that broke no rule."""
    texts = [_text_of(item) for item in items]
    last = _last_prompt(items, texts)
    since = items[last + 1 :]
    kinds = [item.get("type", "message") for item in since]
    ends = [
        index
        for index, kind in enumerate(kinds)
        if kind in _OUTPUTS and (index + 1 == len(kinds) or kinds[index + 1] not in _OUTPUTS)
    ]
    return Conversation(
        prompt=_without_injected(texts[last]) if last >= 0 else "",
        surroundings="\n".join(texts),
        outputs=tuple(_text_of(item) for item in since if item.get("type") in _OUTPUTS),
        called=tuple(str(item.get("name")) for item in since if item.get("type") in _CALLS),
        rounds=len(ends),
        compact=bool(items) and items[-1].get("type") == "compaction_trigger",
    )


def _last_prompt(items: list[dict[str, Any]], texts: list[str]) -> int:
    """Index of the last user message with text of its own; -1 if there is none."""
    best = -1
    for index, item in enumerate(items):
        if item.get("role") == "user" and (_without_injected(texts[index]) or best < 0):
            best = index
    if best >= 0:
        return best
    return max((i for i, item in enumerate(items) if item.get("role")), default=-1)


def _without_injected(text: str) -> str:
    bare = _INJECTED.sub("", text).strip()
    # Some programs pass their command line with its quotes.
    return bare[1:-1].strip() if _QUOTED_WHOLE.fullmatch(bare) else bare


def _text_of(item: dict[str, Any]) -> str:
    content = item.get("output") if item.get("type") in _OUTPUTS else item.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(
        str(part["text"]) if "text" in part else f"[{part.get('type', 'part')}]"
        for part in content
        if isinstance(part, dict)
    )
