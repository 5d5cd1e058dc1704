"""What the simulated model says: it echoes, calls a declared tool, quotes what the tool said, stops.

Pure and deterministic. `calls` decides which tools are called, `streams` turns an answer into events.
"""

import re

import msgspec

from codex_proapi.simulator.backend.answer_parts import Answer, Compaction, Reasoning, Search, Words
from codex_proapi.simulator.backend.arguments import ArgumentHints, value_for
from codex_proapi.simulator.backend.conversation import ECHO, Conversation, read_conversation
from codex_proapi.simulator.backend.tool_calls import calls_for
from codex_proapi.simulator.validation.request_rules import CheckedRequest

_QUOTE = 400


def answer_to(request: CheckedRequest) -> list[Answer]:
    """The items of the reply, in order."""
    talk = read_conversation(request.body["input"])
    if talk.compact:
        return [Compaction(text=talk.surroundings[:2000])]
    thoughts = _thoughts(request, talk)
    if "[[refuse]]" in talk.prompt:
        return [*thoughts, Words(text="I'm sorry, but I can't help with that.", refusal=True)]
    calls = calls_for(request, talk, says=_say(talk))
    if calls:
        spoken: list[Answer] = []
        if "[[commentary]]" in talk.prompt:
            spoken = [Words(text="Let me look.", phase="commentary")]
        return [*thoughts, *spoken, *calls]
    hosted = {tool.get("type") for tool in request.body.get("tools") or []}
    if "web_search" in hosted and re.search(
        r"search the (?:web|internet)", talk.prompt, re.IGNORECASE
    ):
        said = Words(text=_say(talk), citation="https://example.com/")
        return [*thoughts, Search(query=talk.prompt[:100]), said]
    return [*thoughts, Words(text=_text(request, talk))]


def _thoughts(request: CheckedRequest, talk: Conversation) -> list[Answer]:
    summary = request.body.get("reasoning", {}).get("summary")
    if summary in (None, "none"):
        return [Reasoning(summary=())]
    first = "**Reading the request**\n\nThe user wants: " + talk.prompt[:80].replace("\n", " ")
    if summary == "detailed" or talk.outputs:
        return [Reasoning(summary=(first, "**Answering**\n\nA short answer will do."))]
    return [Reasoning(summary=(first,))]


def _text(request: CheckedRequest, talk: Conversation) -> str:
    form = request.body.get("text", {}).get("format", {"type": "text"})
    wish = ArgumentHints(talk.prompt, surroundings=talk.surroundings, answer=_say(talk))
    if form.get("type") == "json_schema":
        return msgspec.json.encode(value_for(form["schema"], wish)).decode()
    if form.get("type") == "json_object":
        return msgspec.json.encode({"answer": _say(talk)}).decode()
    return _say(talk)


def _say(talk: Conversation) -> str:
    """The plain text of an answer."""
    if talk.outputs:
        quoted = "; ".join(output.strip()[:_QUOTE] for output in talk.outputs[-4:])
        return f"The tool answered: {quoted}"
    counted = re.search(r"\bcount to (\d{1,6})", talk.prompt, re.IGNORECASE)
    if counted:
        return " ".join(str(number) for number in range(1, int(counted.group(1)) + 1))
    wordy = re.search(r"\bwrite (\d{1,6}) words", talk.prompt, re.IGNORECASE)
    if wordy:
        return " ".join(_FILLER[index % len(_FILLER)] for index in range(int(wordy.group(1))))
    asked = ECHO.search(talk.prompt)
    if asked:
        return asked.group(1).strip().strip("`\"'“”").strip() or "Hello!"
    if not talk.prompt:
        return "Hello! What can I do for you?"
    return f"You said: {talk.prompt[:_QUOTE]}"


_FILLER = ("alpha", "bravo", "sample", "words", "stand", "here", "to", "be", "counted")
