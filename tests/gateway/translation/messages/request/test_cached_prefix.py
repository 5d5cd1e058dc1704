"""Two turns of a recorded conversation of Claude Code begin alike upstream, as far as they can."""

import json
from typing import Any

import msgspec
import pytest
from support.tree import ROOT

from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.translation.messages.request.read_request import read_messages_request
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    RequestOptions,
)

CORPUS = ROOT / "tests" / "corpus"
TURNS = [
    ("211_claude332-toolturn_msgs", "212_claude332-toolturn_toolturn_msgs"),
    ("239_claude332-discovery_msgs", "241_claude332-discovery_toolturn_msgs"),
]


def upstream(name: str, model: str) -> Any:
    """What upstream is sent for a recorded request."""
    recorded = json.loads((CORPUS / f"{name}.json").read_text())
    request = read_messages_request(
        json.dumps({**recorded["body"], "model": model}).encode(),
        catalogue=Catalogue.built_in(),
        options=RequestOptions(key_id="key_1"),
        client=ClientTraits.of({k.lower(): v for k, v in recorded["headers"].items()}),
    ).request
    return request.session_id, msgspec.json.decode(request.encode())


@pytest.mark.parametrize("model", ["gpt-5.5", "gpt-6.2-sol"])
@pytest.mark.parametrize(("first", "second"), TURNS)
def test_the_next_turn_begins_with_the_whole_turn_before(
    first: str, second: str, model: str
) -> None:
    session, before = upstream(first, model)
    same_session, after = upstream(second, model)

    assert session == same_session
    for field in ("instructions", "tools", "tool_choice", "prompt_cache_key", "text"):
        assert after.get(field) == before.get(field), field
    assert len(after["input"]) > len(before["input"])
    assert after["input"][: len(before["input"])] == before["input"]
