"""Nothing grows past what a reader holds in the head: budgets.toml has the figures."""

import ast
import pathlib
import tomllib

import pytest
from support.tree import ROOT, functions, modules

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

    # A constructor that only receives what it needs (house rule: hand things over) may take more.
    wide = {f.name: n for f in functions(path) if (n := _parameters(f)) > limit} | {}
    wide.pop("__init__", None)

    assert not wide


def test_the_readme_fits_its_budget() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= BUDGETS["readme"]["lines"]


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = function.args
    provided = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return len([a for a in provided if a.arg not in {"self", "cls"}])
