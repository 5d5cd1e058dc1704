"""Which declared tools a prompt asks for, and the calls this turn makes.

Pure and deterministic. It never loops: after MAX_ROUNDS answers of tools the turn ends.
"""

import re
from typing import Any

import msgspec

from codex_proapi.simulator.answers.arguments import ArgumentHints, apply_patch_text, arguments_for
from codex_proapi.simulator.answers.conversation import ECHO, Conversation
from codex_proapi.simulator.answers.parts import Answer, Call
from codex_proapi.simulator.validation.request_rules import CheckedRequest

MAX_ROUNDS = 3
"""Tool rounds after one prompt at most; then it finishes whatever is asked."""


def calls_for(request: CheckedRequest, conversation: Conversation, *, says: str) -> list[Answer]:
    """The tool calls this turn makes; none when it is time to finish. `says` is its text."""
    choice = request.body.get("tool_choice", "auto")
    tools = _allowed(request.tools, choice)
    if not tools or choice == "none" or conversation.rounds >= MAX_ROUNDS:
        return []
    forced = choice == "required" or (isinstance(choice, dict) and choice.get("mode") != "auto")
    wanted = _wanted(tools, conversation)
    if conversation.rounds:
        wanted = (
            wanted[conversation.rounds : conversation.rounds + 1]
            if _in_steps(conversation.prompt)
            else []
        )
        if forced and not wanted:
            wanted = [_finisher(tools) or tools[0]]
    elif forced and not wanted:
        wanted = [_finisher(tools) or tools[0]]
    elif _in_steps(conversation.prompt) or not request.body.get("parallel_tool_calls"):
        wanted = wanted[:1]
    if not wanted:
        closing = _completion_tool(tools)
        wanted = [closing] if closing is not None else []
    return [_call(tool, conversation, says, index) for index, tool in enumerate(wanted)]


def _allowed(tools: list[dict[str, Any]], choice: Any) -> list[dict[str, Any]]:
    if not isinstance(choice, dict):
        return tools
    if choice["type"] == "allowed_tools":
        names = {entry.get("name") for entry in choice.get("tools") or []}
        return [tool for tool in tools if tool["name"] in names]
    return [tool for tool in tools if tool["name"] == choice.get("name")]


def _wanted(tools: list[dict[str, Any]], conversation: Conversation) -> list[dict[str, Any]]:
    """The tools the prompt asks for, in the order it mentions them."""
    prompt = conversation.prompt.lower()
    if ECHO.match(conversation.prompt):
        return []
    named = []
    for tool in tools:
        position = _mentioned(tool["name"], prompt)
        if position is not None:
            named.append((position, tool))
    if named:
        named.sort(key=lambda found: found[0])
        chosen = [tool for _, tool in named]
        twice = re.search(r"\b(?:twice|two times|in parallel|both)\b", prompt)
        return chosen * 2 if twice and len(chosen) == 1 else chosen
    for verb, words in _VERBS:
        if verb.search(prompt):
            found = next((t for word in words for t in _named_like(word, tools)), None)
            if found is not None:
                return [found]
    return tools[:1] if re.search(r"\b(?:call|use)\b.{0,20}\btools?\b", prompt) else []


def _mentioned(name: str, prompt: str) -> int | None:
    """The position at which the prompt names a tool: by its name, in words, or by its distinctive word."""
    lower = name.lower()
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).replace("-", "_").lower().split("_")
    found = re.search(rf"\b{re.escape(lower)}\b", prompt)
    if found and (len(words) > 1 or re.search(rf"\b{re.escape(lower)}\b.{{0,3}} tool", prompt)):
        return found.start()
    spoken = prompt.find(" ".join(words))
    if len(words) > 1 and spoken >= 0:
        return spoken
    if words[0] in ("get", "fetch", "lookup", "look", "find") and len(words) > 1:
        position = prompt.find(words[-1])
        return position if position >= 0 else None
    return None


def _named_like(word: str, tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tools with a word in their name, those that begin with it first."""
    found = [tool for tool in tools if word in tool["name"].lower()]
    return sorted(found, key=lambda tool: not tool["name"].lower().startswith(word))


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
    """The tool with which some agents require an answer to end."""
    return next((tool for tool in tools if tool["name"] == "attempt_completion"), None)


def _call(tool: dict[str, Any], conversation: Conversation, says: str, index: int) -> Call:
    hints = ArgumentHints(
        conversation.prompt,
        surroundings=conversation.surroundings,
        answer=says,
        tool=str(tool["name"]),
    )
    namespace = str(tool.get("namespace", ""))
    if tool["type"] == "custom":
        text = _free_text(tool, hints)
        return Call(name=tool["name"], arguments=text, custom=True, namespace=namespace)
    arguments = arguments_for(tool.get("parameters") or {}, hints)
    if index and "city" in arguments:
        arguments["city"] = "Lima"
    encoded = msgspec.json.encode(arguments).decode()
    return Call(name=tool["name"], arguments=encoded, namespace=namespace)


def _free_text(tool: dict[str, Any], hints: ArgumentHints) -> str:
    """The input of a custom tool: a patch, a script, or a command."""
    if "tools.exec_command" in str(tool.get("description")):
        # Codex' code mode: one tool takes JavaScript that calls the others.
        if _WRITING.search(hints.prompt.lower()):
            patch = msgspec.json.encode(apply_patch_text(hints)).decode()
            return f"text(await tools.apply_patch({patch}));"
        command = msgspec.json.encode({"cmd": hints.command}).decode()
        return f"text(await tools.exec_command({command}));"
    if "patch" in f"{tool['name']}{tool.get('format', '')}".lower():
        return apply_patch_text(hints)
    return hints.quoted or hints.command


_WRITING = re.compile(r"\b(?:write|create|add|save|patch)\b")
_VERBS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (
        re.compile(r"\b(?:run|execute|shell|command|list|ls|pwd)\b"),
        ("exec_command", "run_", "shell", "bash", "command", "exec", "list", "glob"),
    ),
    (
        re.compile(r"\b(?:read|open|show|cat|look at)\b"),
        ("read", "view_file", "exec_command", "shell", "bash", "command", "exec"),
    ),
    (
        _WRITING,
        ("apply_patch", "applypatch", "write", "create_file", "edit", "exec", "bash"),
    ),
    (
        re.compile(r"\b(?:edit|change|fix|replace|update)\b"),
        ("apply_patch", "applypatch", "edit", "replace", "write", "exec"),
    ),
    (
        re.compile(r"\b(?:search|find|grep|where)\b"),
        ("grep", "search", "glob", "find", "exec", "bash"),
    ),
    (re.compile(r"\b(?:fetch|download|browse|url)\b"), ("fetch", "web", "browse")),
)
