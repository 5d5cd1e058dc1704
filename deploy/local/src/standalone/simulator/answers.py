"""What the simulated model says: it echoes, calls a declared tool, quotes what the tool said, stops.

Pure and deterministic. `streams` turns an answer into events.
"""

import re
from typing import Any

import msgspec

from standalone.simulator.arguments import Wish, apply_patch_text, arguments_for, value_for
from standalone.simulator.conversation import Conversation, read_conversation
from standalone.simulator.strictness import CheckedRequest

MAX_ROUNDS = 3
"""Tool rounds after one prompt at most; then it finishes whatever is asked."""
_QUOTE = 400


class Reasoning(msgspec.Struct, frozen=True, kw_only=True):
    """Thoughts, told as summary parts."""

    summary: tuple[str, ...]


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """A message."""

    text: str
    refusal: bool = False
    phase: str = "final_answer"
    citation: str = ""
    """URL the text cites."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call."""

    name: str
    arguments: str
    """JSON, or free text for a custom tool."""
    custom: bool = False
    namespace: str = ""


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """A hosted web search."""

    query: str


class Compaction(msgspec.Struct, frozen=True, kw_only=True):
    """Earlier history in one sealed item."""

    text: str


Answer = Reasoning | Words | Call | Search | Compaction


def answer_to(request: CheckedRequest) -> list[Answer]:
    """The items of the reply, in order."""
    talk = read_conversation(request.body["input"])
    if talk.compact:
        return [Compaction(text=talk.surroundings[:2000])]
    thoughts = _thoughts(request, talk)
    if "[[refuse]]" in talk.prompt:
        return [*thoughts, Words(text="I'm sorry, but I can't help with that.", refusal=True)]
    calls = _calls(request, talk)
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
    wish = Wish(talk.prompt, surroundings=talk.surroundings, answer=_say(talk))
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
    asked = _ECHO.search(talk.prompt)
    if asked:
        return asked.group(1).strip().strip("`\"'“”").strip() or "Hello!"
    if not talk.prompt:
        return "Hello! What can I do for you?"
    return f"You said: {talk.prompt[:_QUOTE]}"


def _calls(request: CheckedRequest, talk: Conversation) -> list[Answer]:
    """The tool calls this turn makes; none when it is time to finish."""
    choice = request.body.get("tool_choice", "auto")
    tools = _allowed(request.tools, choice)
    if not tools or choice == "none" or talk.rounds >= MAX_ROUNDS:
        return []
    forced = choice == "required" or (isinstance(choice, dict) and choice.get("mode") != "auto")
    wanted = _wanted(tools, talk)
    if talk.rounds:
        wanted = wanted[talk.rounds : talk.rounds + 1] if _in_steps(talk.prompt) else []
        if forced and not wanted:
            wanted = [_finisher(tools) or tools[0]]
    elif forced and not wanted:
        wanted = [_finisher(tools) or tools[0]]
    elif _in_steps(talk.prompt) or not request.body.get("parallel_tool_calls"):
        wanted = wanted[:1]
    if not wanted:
        closing = _completion_tool(tools)
        wanted = [closing] if closing is not None else []
    return [_call(tool, talk, index) for index, tool in enumerate(wanted)]


def _allowed(tools: list[dict[str, Any]], choice: Any) -> list[dict[str, Any]]:
    if not isinstance(choice, dict):
        return tools
    if choice["type"] == "allowed_tools":
        names = {entry.get("name") for entry in choice.get("tools") or []}
        return [tool for tool in tools if tool["name"] in names]
    return [tool for tool in tools if tool["name"] == choice.get("name")]


def _wanted(tools: list[dict[str, Any]], talk: Conversation) -> list[dict[str, Any]]:
    """The tools the prompt asks for, in the order it mentions them."""
    prompt = talk.prompt.lower()
    if _ECHO.match(talk.prompt):
        return []
    named = []
    for tool in tools:
        place = _mentioned(tool["name"], prompt)
        if place is not None:
            named.append((place, tool))
    if named:
        named.sort(key=lambda found: found[0])
        chosen = [tool for _, tool in named]
        twice = re.search(r"\b(?:twice|two times|in parallel|both)\b", prompt)
        return chosen * 2 if twice and len(chosen) == 1 else chosen
    for verb, words in _VERBS:
        if verb.search(prompt):
            found = [t for word in words for t in tools if word in t["name"].lower()]
            if found:
                return found[:1]
    return tools[:1] if re.search(r"\b(?:call|use)\b.{0,20}\btools?\b", prompt) else []


def _mentioned(name: str, prompt: str) -> int | None:
    """Where the prompt names a tool: its name, its name in words, or its telling word."""
    lower = name.lower()
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).replace("-", "_").lower().split("_")
    found = re.search(rf"\b{re.escape(lower)}\b", prompt)
    if found and (len(words) > 1 or re.search(rf"\b{re.escape(lower)}\b.{{0,3}} tool", prompt)):
        return found.start()
    spoken = prompt.find(" ".join(words))
    if len(words) > 1 and spoken >= 0:
        return spoken
    if words[0] in ("get", "fetch", "lookup", "look", "find") and len(words) > 1:
        place = prompt.find(words[-1])
        return place if place >= 0 else None
    return None


def _in_steps(prompt: str) -> bool:
    return (
        re.search(r"\b(?:and then|then|after that|afterwards)\b", prompt, re.IGNORECASE) is not None
    )


def _finisher(tools: list[dict[str, Any]]) -> dict[str, Any] | None:
    """A tool that ends the work by taking its result."""
    for word in ("completion", "final", "result", "answer", "output", "respond"):
        for tool in tools:
            if word in tool["name"].lower():
                return tool
    return None


def _completion_tool(tools: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The tool some agents insist on for the last word."""
    return next((tool for tool in tools if tool["name"] == "attempt_completion"), None)


def _call(tool: dict[str, Any], talk: Conversation, index: int) -> Call:
    wish = Wish(talk.prompt, surroundings=talk.surroundings, answer=_say(talk))
    namespace = str(tool.get("namespace", ""))
    if tool["type"] == "custom":
        patchy = "patch" in f"{tool['name']}{tool.get('format', '')}".lower()
        text = apply_patch_text(wish) if patchy else wish.quoted or wish.command
        return Call(name=tool["name"], arguments=text, custom=True, namespace=namespace)
    arguments = arguments_for(tool.get("parameters") or {}, wish)
    if index and "city" in arguments:
        arguments["city"] = "Lima"
    encoded = msgspec.json.encode(arguments).decode()
    return Call(name=tool["name"], arguments=encoded, namespace=namespace)


_ECHO = re.compile(
    r"\s*(?:please\s+)?(?:echo|say|repeat|(?:reply|answer|respond)(?:\s+(?:only|just|exactly))?\s+with)"
    r"(?:\s+(?:only|just|exactly|the words?|the text|the following|back))*\s*:?\s+(.+)",
    re.IGNORECASE | re.DOTALL,
)
_FILLER = (
    "alpha",
    "bravo",
    "sample",
    "words",
    "stand",
    "here",
    "to",
    "be",
    "counted",
    "and",
    "read",
)
_VERBS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (
        re.compile(r"\b(?:run|execute|shell|command|list|ls|pwd)\b"),
        ("exec_command", "run_", "shell", "bash", "command", "exec", "list", "glob"),
    ),
    (
        re.compile(r"\b(?:read|open|show|cat|look at)\b"),
        ("read", "view_file", "exec_command", "shell", "bash", "command"),
    ),
    (
        re.compile(r"\b(?:write|create|add|save|patch)\b"),
        ("apply_patch", "applypatch", "write", "create_file", "edit", "exec_command", "bash"),
    ),
    (
        re.compile(r"\b(?:edit|change|fix|replace|update)\b"),
        ("apply_patch", "applypatch", "edit", "replace", "write"),
    ),
    (
        re.compile(r"\b(?:search|find|grep|where)\b"),
        ("grep", "search", "glob", "find", "exec_command", "bash"),
    ),
    (re.compile(r"\b(?:fetch|download|browse|url)\b"), ("fetch", "web", "browse")),
)
