"""Tests wait long for what must come about: a busy machine is no fault of theirs."""

import ast
import pathlib
from collections.abc import Iterator

from support.tree import ROOT

LEAST_SECONDS = 60
"""What a wait may not be shorter than; a test that waits for a time-out of its own proves little."""
CLIENTS = {"AsyncClient", "Client", "get", "post", "put", "patch", "delete", "request", "stream"}
"""What httpx gives five seconds to answer, unless it is told otherwise."""
IN_PROCESS = {"transport", "timeout"}
MEASURING = {"architecture", "bench", "clients", "week"}
"""Folders of tests that are none."""


def _files() -> Iterator[pathlib.Path]:
    """The modules of tests that wait, or ask over HTTP."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if path.relative_to(ROOT / "tests").parts[0] not in MEASURING and any(
            word in text for word in ("asyncio.timeout(", "asyncio.wait_for(", "httpx.")
        ):
            yield path


def _calls(path: pathlib.Path) -> Iterator[tuple[str, str, ast.Call]]:
    """Every call of an attribute of a module: its module, its name, the call."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name)):
                yield module, name, node
            case _:
                pass


def _is_short(call: ast.Call, name: str) -> bool:
    """Whether a call waits for a number of seconds that a busy machine may take."""
    at = {"timeout": 0, "wait_for": 1}[name]
    given = [*call.args[at:][:1], *(word.value for word in call.keywords if word.arg == "timeout")]
    return any(
        isinstance(each, ast.Constant)
        and isinstance(each.value, int | float)
        and each.value < LEAST_SECONDS
        for each in given
    )


def test_no_wait_is_too_short_for_a_busy_machine() -> None:
    short = [
        f"{path}:{call.lineno}: asyncio.{name}"
        for path in _files()
        for module, name, call in _calls(path)
        if module == "asyncio" and name in {"timeout", "wait_for"} and _is_short(call, name)
    ]

    assert short == []


def test_no_client_over_http_has_the_patience_of_httpx() -> None:
    impatient = [
        f"{path}:{call.lineno}: httpx.{name} without a timeout"
        for path in _files()
        for module, name, call in _calls(path)
        if module == "httpx"
        and name in CLIENTS
        and not any(word.arg is None or word.arg in IN_PROCESS for word in call.keywords)
    ]

    assert impatient == []
