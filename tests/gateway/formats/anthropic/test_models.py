"""The list of models in Anthropic's shape."""

import json

from codex_proapi.commons.codex.model_catalogue import Model
from codex_proapi.gateway.formats.anthropic.models import model_entry, model_list

MODELS = [
    Model(slug="gpt-6-sol", display_name="GPT-6-Sol", context_window=272_000),
    Model(slug="gpt-x"),
]


def test_each_model_is_listed_by_a_name_claude_code_offers_and_by_its_own() -> None:
    found = json.loads(model_list(MODELS))

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
    assert json.loads(model_list([])) == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }
