"""Every code is documented, and has its sentences in the console's texts."""

import re

import pytest
from support.tree import ROOT

from codex_proapi.console import errors
from codex_proapi.console.errors import BadRequest, Code, ConsoleError, StoreAway, TooMany
from codex_proapi.console.texts.phrases import FAULTS


def test_the_table_of_the_documentation_has_every_code_and_no_other() -> None:
    page = (ROOT / "docs" / "console-errors.md").read_text()

    assert re.findall(r"^\| `(\w+)`", page, flags=re.MULTILINE) == [code.value for code in Code]


@pytest.mark.parametrize("code", Code)
def test_every_code_has_its_sentence(code: Code) -> None:
    assert FAULTS[code]


def test_an_error_has_the_code_of_its_class_unless_another_is_given() -> None:
    assert (BadRequest().code, str(BadRequest())) == (Code.INVALID_VALUE, "invalid_value")
    assert BadRequest(Code.WEAK_PASSWORD, param="password").param == "password"
    assert ConsoleError(message="so").message == "so"


def test_a_wait_is_told_where_there_is_one() -> None:
    assert (TooMany(retry_after=7).retry_after, StoreAway().retry_after) == (7, 2)
    assert BadRequest().retry_after is None


def test_every_class_of_the_tree_is_drawn_in_the_docstring() -> None:
    named = [name for name, value in vars(errors).items() if isinstance(value, type)]

    assert [name for name in named if name not in (errors.__doc__ or "") and name != "Code"] == []
