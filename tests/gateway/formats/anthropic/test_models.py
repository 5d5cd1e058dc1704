"""The list of models in Anthropic's shape."""

import json
from typing import Any

import pytest

from codex_proapi.commons.codex.model_catalogue import Model
from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.anthropic.models import Page, model_entry, model_list, page_of

MODELS = [
    Model(slug="gpt-6-sol", display_name="GPT-6-Sol", context_window=272_000),
    Model(slug="gpt-x"),
]


def test_each_model_is_listed_by_a_name_claude_code_offers_and_by_its_own() -> None:
    found = json.loads(model_list(MODELS, Page()))

    assert [entry["id"] for entry in found["data"]] == [
        "claude-gpt-6-sol",
        "gpt-6-sol",
        "claude-gpt-x",
        "gpt-x",
    ]
    assert (found["has_more"], found["first_id"], found["last_id"]) == (
        False,
        "claude-gpt-6-sol",
        "gpt-x",
    )


def test_entry_has_what_clients_read() -> None:
    assert json.loads(model_entry(MODELS[0], "claude-gpt-6-sol")) == {
        "type": "model",
        "id": "claude-gpt-6-sol",
        "display_name": "GPT-6-Sol",
        "created_at": "2025-01-01T00:00:00Z",
        "max_input_tokens": 272_000,
    }


def test_model_without_a_title_or_a_window_is_shown_by_its_name() -> None:
    entry = json.loads(model_entry(MODELS[1], "gpt-x"))

    assert entry["display_name"] == "gpt-x"
    assert "max_input_tokens" not in entry


def test_empty_list_has_no_ends() -> None:
    assert json.loads(model_list([], Page())) == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }


@pytest.mark.parametrize(
    ("query", "ids", "more"),
    [
        ({"limit": "1"}, ["claude-gpt-6-sol"], True),
        ({"limit": "2", "after_id": "claude-gpt-6-sol"}, ["gpt-6-sol", "claude-gpt-x"], True),
        ({"limit": "2", "after_id": "gpt-6-sol"}, ["claude-gpt-x", "gpt-x"], False),
        ({"after_id": "gpt-x"}, [], False),
        ({"limit": "1", "before_id": "claude-gpt-x"}, ["gpt-6-sol"], True),
        ({"before_id": "gpt-6-sol"}, ["claude-gpt-6-sol"], False),
        ({"limit": ""}, ["claude-gpt-6-sol", "gpt-6-sol", "claude-gpt-x", "gpt-x"], False),
    ],
)
def test_pages_of_the_list(query: dict[str, str], ids: list[str], more: bool) -> None:
    found = json.loads(model_list(MODELS, page_of(query)))

    assert [entry["id"] for entry in found["data"]] == ids
    assert found["has_more"] is more
    assert (found["first_id"], found["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))


@pytest.mark.parametrize(
    ("query", "param"),
    [
        *(({"limit": limit}, "limit") for limit in ("0", "-1", "x", "1001", "9" * 9999, "²")),
        ({"after_id": "nope"}, "after_id"),
        ({"before_id": "nope"}, "before_id"),
    ],
)
def test_a_page_that_does_not_exist_is_refused_by_name(query: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        model_list(MODELS, page_of(query))

    assert refused.value.param == param
