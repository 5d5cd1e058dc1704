"""Names that people give: one bound for forms, API and commands."""

import re
from typing import Any

import pytest
from support.tree import ROOT

from codex_proapi.commons.accounts.one_line import MOST_NAME
from codex_proapi.commons.owner_terms.terms import MOST_NAME as MOST_GROUP
from codex_proapi.console.layout.rendering import environment
from codex_proapi.console.texts.language import Language

TEMPLATES = ROOT / "services/console/src/codex_proapi/console/templates"
NAMED = re.compile(r'<input type="text" name="(?:name|owner|group)"[^>]*>')


@pytest.mark.parametrize(
    "field",
    sorted(
        {
            (path.name, field)
            for path in TEMPLATES.rglob("*.html")
            for field in NAMED.findall(path.read_text())
        }
    ),
)
def test_a_form_takes_what_the_api_takes(field: tuple[str, str]) -> None:
    assert 'maxlength="{{ most_name }}"' in field[1]


def test_the_bound_of_forms_is_that_of_the_api() -> None:
    made: Any = environment(Language.ENGLISH)

    assert made.globals["most_name"] == MOST_NAME == MOST_GROUP
