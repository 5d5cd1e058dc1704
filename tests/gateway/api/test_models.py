from typing import Any

import msgspec
import pytest

from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.api import models
from codex_proapi.gateway.errors import UnknownModel

CATALOGUE = Catalogue.built_in()


def shown(**options: Any) -> Any:
    return msgspec.json.decode(models.listing(CATALOGUE, **options))


def test_every_listed_model_is_shown_with_what_clients_read() -> None:
    body = shown()

    assert body["object"] == "list"
    first = body["data"][0]
    assert first["id"] == CATALOGUE.default.slug
    assert (first["object"], first["owned_by"]) == ("model", "openai")
    assert isinstance(first["created"], int)
    assert first["context_window"] == first["context_length"] == first["max_model_len"]
    assert "image" in first["input_modalities"]
    assert body["data"][-1]["id"] == "codex"
    assert "models" not in body


def test_hidden_models_are_not_shown() -> None:
    hidden = [model.slug for model in CATALOGUE.models if not model.listed]

    assert hidden
    assert not {entry["id"] for entry in shown()["data"]} & set(hidden)


def test_a_key_sees_the_models_it_may_use() -> None:
    for name in ("gpt-5.5", "GPT-5.5"):
        assert [entry["id"] for entry in shown(allowed=(name,))["data"]] == ["gpt-5.5"]


def test_codex_gets_the_backends_own_entries_beside_them() -> None:
    rows = [{"slug": "gpt-5.5", "shell_type": "default"}]

    body = shown(rows=rows)

    assert body["models"] == rows
    assert body["data"] == shown()["data"]


@pytest.mark.parametrize("name", ["gpt-5.5", "openai/gpt-5.5", "GPT-5.5-high", "gpt-5", "codex"])
def test_a_model_is_found_by_any_name_it_answers_to(name: str) -> None:
    body = msgspec.json.decode(models.one(CATALOGUE, name))

    assert (body["id"], body["object"]) == (name, "model")


def test_a_model_there_is_not_or_may_not_be_used_is_unknown() -> None:
    with pytest.raises(UnknownModel):
        models.one(CATALOGUE, "gpt-2")
    with pytest.raises(UnknownModel, match="may not use"):
        models.one(CATALOGUE, "gpt-6-sol", allowed=("gpt-5.5",))
