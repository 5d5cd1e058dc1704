"""Names are the field's own or plain words (docs/style.md): no empty module name, no metaphor."""

import ast
import re
from collections.abc import Iterator

from support.tree import modules

EMPTY = {"utils", "util", "helpers", "helper", "misc"}
METAPHORS = {
    *("house", "hands", "rooms", "floor", "desk", "front", "visit", "fan", "deed", "deeds"),
    *("books", "lessons", "knowledge", "brakes", "pulse", "tails", "ballot", "ballots", "shown"),
    *("given", "place", "places", "look", "door", "manners", "heard"),
}
"""Words that once named parts of this project; each has a plain name now (docs/style.md)."""


def _words(name: str) -> set[str]:
    """The words of a name in any of Python's spellings."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def _names(tree: ast.AST) -> Iterator[str]:
    """Every name that a module gives: classes, functions, parameters, attributes, variables."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield name
            case ast.AsyncFunctionDef(name=name):
                yield name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case _:
                pass


def test_no_module_has_an_empty_name() -> None:
    assert [name for name, _ in modules() if name.rpartition(".")[2] in EMPTY] == []


def test_no_name_is_a_metaphor() -> None:
    found = [
        f"{name}: {each}"
        for name, path in modules()
        for each in sorted({name.rpartition(".")[2], *_names(ast.parse(path.read_text()))})
        if _words(each) & METAPHORS
    ]

    assert found == [], "\n".join(found)
