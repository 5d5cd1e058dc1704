"""Every body real clients were seen sending becomes a request the backend takes."""

import json
import pathlib
from typing import Any

import pytest
from support.askings import asked
from support.tree import ROOT
from support.upstream_rules import broken_rule

from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.errors import UnknownModel
from codex_proapi.gateway.formats.codex.requests import Shape
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.request.translated_request import ClientTraits
from codex_proapi.gateway.translation.responses.stored_items import expand

# Names the recording invented, or of models that are gone: their owner would alias them.
CATALOGUE = Catalogue.built_in(
    aliases={"gw-model": "gpt-5.5", "my-custom-model": "gpt-6.1-sol", "o4-mini": "gpt-5.6-luna"}
)


def _recorded() -> list[Any]:
    found = []
    for path in sorted((ROOT / "tests/corpus").glob("*.json")):
        recorded = json.loads(path.read_text())
        if isinstance(recorded["body"], dict) and "/messages" not in recorded["endpoint"]:
            found.append(pytest.param(recorded, id=path.stem))
    return found


def _asked(recorded: dict[str, Any], body: dict[str, Any]) -> Any:
    return asked(
        json.dumps(body).encode(),
        endpoint="chat" if "chat/completions" in recorded["endpoint"] else "responses",
        catalogue=CATALOGUE,
        client=ClientTraits.of({k.lower(): v for k, v in recorded["headers"].items()}),
    )


def test_the_corpus_is_there() -> None:
    assert len(_recorded()) > 100
    assert pathlib.Path(ROOT / "tests/corpus").is_dir()


@pytest.mark.parametrize("recorded", _recorded())
def test_a_recorded_body_becomes_a_request_upstream_takes(recorded: dict[str, Any]) -> None:
    if recorded["expect"]["status"] != 200 and recorded["body"]["model"] == "claude-x":
        with pytest.raises(UnknownModel, match="neutral name"):
            _asked(recorded, recorded["body"])
        return

    translated = _asked(recorded, recorded["body"])
    if translated.unresolved:
        translated = expand(translated, previous_items=[], referenced_items={})
    assert broken_rule(translated.request) is None
    assert translated.stream is bool(recorded["body"].get("stream"))
    assert isinstance(translated.answer, ChatOptions) is ("chat" in recorded["endpoint"])


@pytest.mark.parametrize("recorded", _recorded())
def test_a_recorded_body_fits_a_lite_model_too(recorded: dict[str, Any]) -> None:
    translated = _asked(recorded, {**recorded["body"], "model": "gpt-6.1-sol"})

    if translated.unresolved:
        translated = expand(translated, previous_items=[], referenced_items={})
    assert broken_rule(translated.request) is None
    assert broken_rule(translated.request.in_shape(translated.request.shape.other)) is None
    assert broken_rule(translated.request.in_shape(Shape.LITE).without_encrypted()) is None
