"""The repository as the architecture tests see it: members, modules, functions."""

import ast
import functools
import pathlib
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]

MEMBERS = {
    "gateway": ROOT / "services/gateway/src/codex_proapi/gateway",
    "console": ROOT / "services/console/src/codex_proapi/console",
    "commons": ROOT / "shared/src/codex_proapi/commons",
    "simulator": ROOT / "services/simulator/src/codex_proapi/simulator",
    "local": ROOT / "deploy/local/src/codex_proapi/local",
}


@functools.cache
def modules(*members: str) -> tuple[tuple[str, pathlib.Path], ...]:
    """Every module of the members as (dotted name, path); packages by their `__init__`."""
    return tuple(
        (_dotted(path, MEMBERS[member].parents[1]), path)
        for member in members or MEMBERS
        for path in sorted(MEMBERS[member].rglob("*.py"))
    )


def _dotted(path: pathlib.Path, above: pathlib.Path) -> str:
    parts = path.relative_to(above).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@functools.cache
def imports_of(path: pathlib.Path) -> frozenset[str]:
    """Dotted names that a module imports, `from a import b` as both `a` and `a.b`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


def functions(path: pathlib.Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def classes(path: pathlib.Path) -> Iterator[ast.ClassDef]:
    """Every class of a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            yield node
