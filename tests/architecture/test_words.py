"""One thing, one word: names that say nothing are refused (docs/style.md)."""

import pathlib

import pytest
from support.tree import classes, modules

FORBIDDEN = {
    *("utils", "util", "helpers", "helper", "common", "misc", "base", "core"),
    *("manager", "service", "handler", "processor", "data", "info"),
}


@pytest.mark.parametrize(("name", "path"), modules())
def test_no_module_has_an_empty_name(name: str, path: pathlib.Path) -> None:
    assert name.rpartition(".")[2] not in FORBIDDEN


@pytest.mark.parametrize(("name", "path"), modules())
def test_no_class_ends_in_an_empty_word(name: str, path: pathlib.Path) -> None:
    endings = tuple(word.capitalize() for word in FORBIDDEN)

    assert [c.name for c in classes(path) if c.name.endswith(endings)] == []
