"""Arguments of a tool call: the smallest value that fits a JSON Schema, using words of the prompt.

Pure and deterministic. It knows nothing of tools; `answers` decides which one is called.
"""

import re
from typing import Any

_MAX_DEPTH = 12
_PATH = re.compile(
    r"[\w./~-]*(?:/[\w.-]+|\w\.(?:py|js|ts|md|txt|json|toml|ya?ml|sh|html|css|rs|go))\b"
)
_QUOTED = re.compile(r"`([^`]+)`|\"([^\"]+)\"|'([^']+)'")
_URL = re.compile(r"https?://[^\s\"'<>)]+")
_CITY = re.compile(r"\b(?:in|of|for|at)\s+([A-Z][a-zA-Zà-ÿ]+(?:\s[A-Z][a-zA-Z]+)?)")
_REPLACE = re.compile(
    r"replace\s+[`\"']?(.+?)[`\"']?\s+(?:with|by)\s+[`\"']?([^`\"'\n]+)", re.IGNORECASE
)
_RUN = re.compile(
    r"\b(?:run|execute)\s+(?:the\s+command\s+|command\s+)?`?([^`\n.]+)`?", re.IGNORECASE
)
_FOLDER = re.compile(
    r"(?:\bcwd|working directory|working in the directory|current directory|workspace root"
    r"(?: folder)?|project root)[^\w/<\n]{1,8}(/[\w./-]+)",
    re.IGNORECASE,
)
_DATES = {"date": "2026-11-24", "date-time": "2026-11-24T12:00:00Z", "time": "12:00:00Z"}
_FORMATS = {
    **_DATES,
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "email": "ada@example.com",
    "uuid": "6f3a2c1e-5b7d-4e88-9a10-2f4c6d8e0b12",
    "ipv4": "192.0.2.1",
    "hostname": "example.com",
}


class ArgumentHints:
    """Parts of the prompt from which arguments are made."""

    def __init__(
        self, prompt: str, *, surroundings: str = "", answer: str = "", tool: str = ""
    ) -> None:
        self.prompt = prompt
        self.tool = tool
        folder = _FOLDER.search(surroundings) or _FOLDER.search(prompt)
        self.folder = folder.group(1).rstrip("/.") if folder else ""
        self.answer = answer or prompt

    def __repr__(self) -> str:
        return f"<ArgumentHints of {len(self.prompt)} characters>"

    @property
    def path(self) -> str:
        """The first path in the prompt."""
        without_urls = _URL.sub(" ", self.prompt)
        found = _PATH.search(without_urls)
        return found.group(0) if found else "hello.txt"

    @property
    def absolute_path(self) -> str:
        """The same from the root, where the working folder is known."""
        if self.path.startswith("/") or not self.folder:
            return self.path
        return f"{self.folder}/{self.path}"

    @property
    def quoted(self) -> str:
        """The first quoted text; empty if there is none."""
        found = _QUOTED.search(self.prompt)
        return next(filter(None, found.groups()), "") if found else ""

    @property
    def command(self) -> str:
        """A harmless shell command."""
        backticks = re.search(r"`([^`]+)`", self.prompt)
        if backticks:
            return backticks.group(1)
        asked = _RUN.search(self.prompt)
        if asked and re.match(r"(?:echo|ls|cat|pwd|true|date|printf)\b", asked.group(1)):
            return asked.group(1).strip()
        if (
            re.search(r"\b(?:read|open|show|cat|print)\b", self.prompt, re.IGNORECASE)
            and "." in self.path
        ):
            return f"cat {self.path}" if _PATH.search(self.prompt) else "echo hello"
        if re.search(r"\blist\b", self.prompt, re.IGNORECASE):
            return "ls"
        return "echo hello"


def arguments_for(schema: Any, hints: ArgumentHints) -> dict[str, Any]:
    """Arguments that fit a tool's parameters; required properties only."""
    made = _value(schema, "", hints, _Scope(schema))
    return made if isinstance(made, dict) else {}


def value_for(schema: Any, hints: ArgumentHints) -> Any:
    """Any value that fits a schema, as structured output needs it."""
    return _value(schema, "", hints, _Scope(schema))


class _Scope:
    """The definitions that `$ref` points to, and the current depth."""

    def __init__(self, root: Any, depth: int = 0) -> None:
        self.root = root
        self.depth = depth

    def deeper(self) -> "_Scope":
        return _Scope(self.root, self.depth + 1)

    def resolve(self, reference: str) -> Any:
        found = self.root
        for step in reference.removeprefix("#").strip("/").split("/"):
            if step and isinstance(found, dict):
                found = found.get(step, {})
        return found


def _value(schema: Any, key: str, hints: ArgumentHints, scope: _Scope) -> Any:
    if not isinstance(schema, dict) or scope.depth > _MAX_DEPTH:
        return "example" if schema is True else {}
    scope = scope.deeper()
    if "$ref" in schema:
        return _value(scope.resolve(schema["$ref"]), key, hints, scope)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return _enum(schema["enum"], hints)
    for word in ("anyOf", "oneOf"):
        if schema.get(word):
            options = [option for option in schema[word] if option.get("type") != "null"]
            return _value((options or schema[word])[0], key, hints, scope)
    if schema.get("allOf"):
        return _value(_merged(schema, scope), key, hints, scope)
    return _typed(schema, key, hints, scope)


def _typed(schema: dict[str, Any], key: str, hints: ArgumentHints, scope: _Scope) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    match kind:
        case "object":
            return _object(schema, hints, scope)
        case "array":
            return _array(schema, key, hints, scope)
        case "integer":
            return int(_number(schema, hints))
        case "number":
            return _number(schema, hints)
        case "boolean":
            return bool(schema.get("default", False))
        case "null":
            return None
        case _:
            return _string(schema, key, hints)


def _object(schema: dict[str, Any], hints: ArgumentHints, scope: _Scope) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    required = [name for name in schema.get("required") or [] if isinstance(name, str)]
    return {name: _value(properties.get(name, True), name, hints, scope) for name in required}


def _array(schema: dict[str, Any], key: str, hints: ArgumentHints, scope: _Scope) -> list[Any]:
    if isinstance(schema.get("prefixItems"), list):
        return [_value(item, key, hints, scope) for item in schema["prefixItems"]]
    if key == "command" and (schema.get("items") or {}).get("type") == "string":
        return ["bash", "-lc", hints.command]
    count = max(1, int(schema.get("minItems", 1)))
    singular = key.removesuffix("s")
    return [_value(schema.get("items", True), singular, hints, scope) for _ in range(count)]


def _number(schema: dict[str, Any], hints: ArgumentHints) -> float | int:
    asked = re.search(r"-?\d+(?:\.\d+)?", hints.prompt)
    number = float(asked.group(0)) if asked else 1.0
    low, high = schema.get("minimum"), schema.get("maximum")
    if isinstance(schema.get("exclusiveMinimum"), int | float):
        low = schema["exclusiveMinimum"] + 1
    if low is not None:
        number = max(number, low)
    if high is not None:
        number = min(number, high)
    step = schema.get("multipleOf")
    if step:
        number -= number % step
    return int(number) if number == int(number) else number


def _enum(options: list[Any], hints: ArgumentHints) -> Any:
    lower = hints.prompt.lower()
    said = [option for option in options if isinstance(option, str) and option.lower() in lower]
    return said[0] if said else options[0]


def _string(schema: dict[str, Any], key: str, hints: ArgumentHints) -> str:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    text = _by_name(re.sub(r"[^a-z]", "", key.lower()), schema, hints)
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and not _matches(pattern, text):
        text = next((guess for guess in _GUESSES if _matches(pattern, guess)), text)
    text += "x" * max(0, int(schema.get("minLength", 0)) - len(text))
    limit = schema.get("maxLength")
    return text[:limit] if isinstance(limit, int) else text


_GUESSES = (
    "example",
    "EXAMPLE",
    "a",
    "A",
    "1",
    "12345",
    "2026-11-24",
    "1.0.0",
    "example-1",
    "ex_1",
    "AB",
    "abc",
    "ABC",
    "#a1b2c3",
)


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True


def _by_name(key: str, schema: dict[str, Any], hints: ArgumentHints) -> str:
    """A string that suits a property of this name."""
    if "default" in schema and isinstance(schema["default"], str) and schema["default"]:
        return schema["default"]
    if "path" in key or "file" in key or key in ("dir", "directory", "folder", "cwd", "workdir"):
        folderish = "dir" in key or key in ("folder", "cwd", "workdir")
        described = f"{key} {schema.get('description', '')}".lower()
        if folderish:
            return hints.folder or "."
        return hints.absolute_path if "absolute" in described or hints.folder else hints.path
    if "patch" in hints.tool.lower() and key in ("input", "text"):
        return apply_patch_text(hints)
    for names, text in _suggestions(hints):
        if any(name in key for name in names):
            return text
    return hints.quoted or "example"


def _suggestions(hints: ArgumentHints) -> list[tuple[tuple[str, ...], str]]:
    """Words in property names to the value for them; the first match is used."""
    replaced = _REPLACE.search(hints.prompt)
    old, new = replaced.groups() if replaced else ("hello", "hello, world")
    position = _CITY.search(hints.prompt)
    url = _URL.search(hints.prompt)
    patch = apply_patch_text(hints)
    return [
        (("patch", "diff"), patch),
        (("command", "cmd", "script", "bash"), hints.command),
        (("oldstr", "oldtext", "search"), old),
        (("newstr", "newtext", "replace"), new.strip()),
        (("url", "uri", "link"), url.group(0) if url else "https://example.com/"),
        (("city", "location", "place", "town"), position.group(1) if position else "Paris"),
        (("country",), "Norway"),
        (("pattern", "regex", "glob"), hints.quoted or "hello"),
        (("query", "question", "prompt", "objective", "task"), hints.prompt[:200] or "hello"),
        (("result", "answer", "response", "message", "summary", "thought"), hints.answer[:500]),
        (("content", "text", "body", "code"), hints.quoted or "hello\n"),
        (("language", "lang"), "python"),
        (("description", "title", "reason", "explanation"), "A small step"),
        (("name",), "Ada"),
        (("date", "day"), _DATES["date"]),
        (("unit",), "celsius"),
    ]


def apply_patch_text(hints: ArgumentHints) -> str:
    """A small valid patch in the `apply_patch` grammar: it adds one file."""
    lines = (hints.quoted or "hello").splitlines() or ["hello"]
    added = "\n".join(f"+{line}" for line in lines)
    return f"*** Begin Patch\n*** Add File: {hints.path}\n{added}\n*** End Patch\n"


def _merged(schema: dict[str, Any], scope: _Scope) -> dict[str, Any]:
    merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        whole = scope.resolve(part["$ref"]) if "$ref" in part else part
        for key, value in whole.items():
            if key == "properties":
                merged["properties"] = {**merged.get("properties", {}), **value}
            elif key == "required":
                merged["required"] = [*merged.get("required", []), *value]
            else:
                merged.setdefault(key, value)
    return merged
