"""Nothing grows past what a reader holds in the head: budgets.toml has the figures."""

import ast
import pathlib
import tomllib
from collections import Counter

from support.tree import ROOT, functions, modules

TESTS = ROOT / "tests"
BUDGETS = tomllib.loads((pathlib.Path(__file__).parent / "budgets.toml").read_text())


def test_modules_fit_their_budget() -> None:
    lines = {name: _length(path) for name, path in modules()}

    limits = {name: BUDGETS["exceptions"].get(name, BUDGETS["module"]["lines"]) for name in lines}

    assert {name: n for name, n in lines.items() if n > limits[name]} == {}


def test_functions_fit_their_budget_and_take_few_parameters() -> None:
    lines, parameters = BUDGETS["function"]["lines"], BUDGETS["function"]["parameters"]

    large = [
        f"{name}.{function.name}: {_lines(function)} lines, {_parameters(function)} parameters"
        for name, path in modules()
        for function in functions(path)
        if _lines(function) > lines
        or (_parameters(function) > parameters and not _builds(function))
    ]

    assert large == [], "\n".join(large)


def test_test_modules_fit_their_budget() -> None:
    lines = {p.relative_to(TESTS).as_posix(): _length(p) for p in TESTS.rglob("test_*.py")}

    limit, exceptions = BUDGETS["test_module"]["lines"], BUDGETS["test_exceptions"]

    assert {name: n for name, n in lines.items() if n > exceptions.get(name, limit)} == {}
    # An exception that nobody needs any more is gone.
    assert [name for name in exceptions if lines.get(name, 0) <= limit] == []


def test_a_folder_fits_its_budget() -> None:
    limit = BUDGETS["folder"]["modules"]

    counts = Counter(path.parent for _, path in modules() if path.name != "__init__.py")

    assert not {folder for folder, count in counts.items() if count > limit}


def test_the_readme_fits_its_budget() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= BUDGETS["readme"]["lines"]


def _length(path: pathlib.Path) -> int:
    return len(path.read_text().splitlines())


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
