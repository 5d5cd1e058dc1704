"""Nothing grows past what a reader holds in the head: budgets.toml has the figures."""

import ast
import pathlib
import tomllib
from collections import Counter

import pytest
from support.tree import ROOT, functions, modules

TESTS = ROOT / "tests"
BUDGETS = tomllib.loads((pathlib.Path(__file__).parent / "budgets.toml").read_text())


@pytest.mark.parametrize(("name", "path"), modules())
def test_a_module_fits_its_budget(name: str, path: pathlib.Path) -> None:
    limit = BUDGETS["exceptions"].get(name, BUDGETS["module"]["lines"])

    assert len(path.read_text().splitlines()) <= limit


@pytest.mark.parametrize(("name", "path"), modules())
def test_a_function_fits_its_budget(name: str, path: pathlib.Path) -> None:
    limit = BUDGETS["function"]["lines"]

    long = {f.name: lines for f in functions(path) if (lines := _lines(f)) > limit}

    assert not long


@pytest.mark.parametrize(("name", "path"), modules())
def test_a_function_takes_few_parameters(name: str, path: pathlib.Path) -> None:
    limit = BUDGETS["function"]["parameters"]

    wide = {f.name: n for f in functions(path) if (n := _parameters(f)) > limit and not _builds(f)}

    assert not wide


@pytest.mark.parametrize("path", sorted(TESTS.rglob("test_*.py")), ids=lambda path: path.stem)
def test_a_test_module_fits_its_budget(path: pathlib.Path) -> None:
    name = path.relative_to(TESTS).as_posix()
    limit = BUDGETS["test_exceptions"].get(name, BUDGETS["test_module"]["lines"])

    assert len(path.read_text().splitlines()) <= limit


@pytest.mark.parametrize("name", BUDGETS["test_exceptions"])
def test_an_exception_that_nobody_needs_any_more_is_gone(name: str) -> None:
    assert len((TESTS / name).read_text().splitlines()) > BUDGETS["test_module"]["lines"]


def test_a_folder_fits_its_budget() -> None:
    limit = BUDGETS["folder"]["modules"]

    counts = Counter(path.parent for _, path in modules() if path.name != "__init__.py")

    assert not {folder for folder, count in counts.items() if count > limit}


def test_the_readme_fits_its_budget() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= BUDGETS["readme"]["lines"]


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _builds(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it makes something of what it is handed: a bag for its parameters would say no more."""
    named = function.name in {"__init__", "main"}  # a command takes what its options give
    return named or function.name.lstrip("_").startswith(("build", "make"))


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = function.args
    provided = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return len([a for a in provided if a.arg not in {"self", "cls"}])
