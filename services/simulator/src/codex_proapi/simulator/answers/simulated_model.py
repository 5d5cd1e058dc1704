"""The simulated model: echoes the prompt, calls a declared tool, quotes its result, stops.

Pure and deterministic. `tool_calls` decides which tools are called, `backend` turns an answer into events.
"""

import re

import msgspec

from codex_proapi.simulator.answers.arguments import ArgumentHints, value_for
from codex_proapi.simulator.answers.conversation import ECHO, Conversation, read_conversation
from codex_proapi.simulator.answers.parts import (
    Answer,
    Compaction,
    Message,
    Reasoning,
    Search,
)
from codex_proapi.simulator.answers.tool_calls import calls_for
from codex_proapi.simulator.validation.request_rules import CheckedRequest

_QUOTE = 400


def answer_to(request: CheckedRequest, *, reasons: bool = True) -> list[Answer]:
    """The items of the reply, in order; without reasoning if it is not to be."""
    conversation = read_conversation(request.body["input"])
    if conversation.compact:
        return [Compaction(text=conversation.surroundings[:2000])]
    thoughts = _thoughts(request, conversation) if reasons else []
    if "[[refuse]]" in conversation.prompt:
        return [*thoughts, Message(text="I'm sorry, but I can't help with that.", refusal=True)]
    calls = calls_for(request, conversation, says=_say(conversation))
    if calls:
        spoken: list[Answer] = []
        if "[[commentary]]" in conversation.prompt:
            spoken = [Message(text="Let me look.", phase="commentary")]
        return [*thoughts, *spoken, *calls]
    hosted = {tool.get("type") for tool in request.body.get("tools") or []}
    if "web_search" in hosted and re.search(
        r"search the (?:web|internet)", conversation.prompt, re.IGNORECASE
    ):
        said = Message(text=_say(conversation), citation="https://example.com/")
        return [*thoughts, Search(query=conversation.prompt[:100]), said]
    return [*thoughts, Message(text=_text(request, conversation))]


def _thoughts(request: CheckedRequest, conversation: Conversation) -> list[Answer]:
    summary = request.body.get("reasoning", {}).get("summary")
    if summary in (None, "none"):
        return [Reasoning(summary=())]
    first = "**Reading the request**\n\nThe user wants: " + conversation.prompt[:80].replace(
        "\n", " "
    )
    if summary == "detailed" or conversation.outputs:
        return [Reasoning(summary=(first, "**Answering**\n\nA short answer will do."))]
    return [Reasoning(summary=(first,))]


def _text(request: CheckedRequest, conversation: Conversation) -> str:
    form = request.body.get("text", {}).get("format", {"type": "text"})
    hints = ArgumentHints(
        conversation.prompt, surroundings=conversation.surroundings, answer=_say(conversation)
    )
    if form.get("type") == "json_schema":
        return msgspec.json.encode(value_for(form["schema"], hints)).decode()
    if form.get("type") == "json_object":
        return msgspec.json.encode({"answer": _say(conversation)}).decode()
    return _say(conversation)


def _say(conversation: Conversation) -> str:
    """The plain text of an answer."""
    if conversation.outputs:
        quoted = "; ".join(output.strip()[:_QUOTE] for output in conversation.outputs[-4:])
        return f"The tool answered: {quoted}"
    counted = re.search(r"\bcount to (\d{1,6})", conversation.prompt, re.IGNORECASE)
    if counted:
        return " ".join(str(number) for number in range(1, int(counted.group(1)) + 1))
    wordy = re.search(r"\bwrite (\d{1,6}) words", conversation.prompt, re.IGNORECASE)
    if wordy:
        return " ".join(_FILLER[index % len(_FILLER)] for index in range(int(wordy.group(1))))
    asked = ECHO.search(conversation.prompt)
    if asked:
        return asked.group(1).strip().strip("`\"'“”").strip() or "Hello!"
    if not conversation.prompt:
        return "Hello! What can I do for you?"
    return f"You said: {conversation.prompt[:_QUOTE]}"


_FILLER = ("alpha", "bravo", "sample", "words", "stand", "here", "to", "be", "counted")
