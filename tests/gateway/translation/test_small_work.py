"""Small work is told by what a client declares, never by its text; and what a cheaper model can do of it."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from support.tree import ROOT

from codex_proapi.commons.api_keys.small_work import (
    WorkClass,
    WorkOutcome,
    small_models_of,
    unknown_classes,
)
from codex_proapi.commons.codex.model_catalogue import Catalogue, Model
from codex_proapi.gateway.api.dialects.table import DIALECTS
from codex_proapi.gateway.errors import BadRequest, UnknownModel
from codex_proapi.gateway.translation.messages.request.model_families import is_haiku
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    RequestOptions,
    TranslatedRequest,
)
from codex_proapi.gateway.translation.small_work import misfit, work_class

CATALOGUE = Catalogue.built_in()
READ = {dialect.name: dialect.read for dialect in DIALECTS}
CLAUDE = {"x-claude-code-session-id": "s1", "user-agent": "claude-cli/2.1.332 (external, cli)"}
CODEX = {"originator": "codex_cli_rs"}
TITLE = {
    "format": {
        "type": "json_schema",
        "schema": {
            "type": "object",
            "properties": {"title": {"type": "string"}},
            "required": ["title"],
            "additionalProperties": False,
        },
    }
}
HELLO: list[Any] = [{"role": "user", "content": "hello"}]
ITEMS: list[Any] = [
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
]
TRIGGER = {"type": "compaction_trigger"}
TOOL = {"name": "Read", "input_schema": {"type": "object", "properties": {}}}


def told(endpoint: str, body: dict[str, Any], headers: dict[str, str]) -> WorkClass | None:
    client = ClientTraits.of(headers)
    translated = translate(endpoint, body, client)
    haiku = endpoint == "messages" and is_haiku(translated.asked_model, CATALOGUE)
    return work_class(translated, client, endpoint=endpoint, is_haiku=haiku)


def translate(endpoint: str, body: dict[str, Any], client: ClientTraits) -> TranslatedRequest:
    options = RequestOptions()
    data = msgspec.json.encode({"model": "gpt-5.5", **body})
    return READ[endpoint](data, catalogue=CATALOGUE, options=options, client=client)


def kind(name: str) -> dict[str, str]:
    return CODEX | {"x-codex-turn-metadata": f'{{"request_kind": "{name}","turn_id":"t"}}'}


@pytest.mark.parametrize(
    ("endpoint", "body", "headers", "expected"),
    [
        # Claude Code states the class, or asks for a title and nothing else.
        ("messages", {"messages": HELLO}, CLAUDE | {"x-claude-code-request-class": "auxiliary"}, "auxiliary"),
        ("messages", {"messages": HELLO}, CLAUDE | {"x-claude-code-request-class": "compaction"}, "compaction"),
        ("messages", {"messages": HELLO}, CLAUDE | {"x-claude-code-request-class": "main"}, None),
        ("messages", {"messages": HELLO}, CLAUDE | {"x-claude-code-request-class": "subagent"}, None),
        ("messages", {"messages": HELLO, "tools": [], "output_config": TITLE}, CLAUDE, "auxiliary"),
        ("messages", {"messages": HELLO, "tools": [TOOL], "output_config": TITLE}, CLAUDE, None),
        ("messages", {"messages": HELLO, "output_config": TITLE}, {}, None),
        ("messages", {"messages": HELLO}, CLAUDE, None),
        # Claude's haiku family by name, unless the client says that it is the main conversation.
        ("messages", {"messages": HELLO, "model": "claude-haiku-4-5-20251001"}, {}, "haiku"),
        ("messages", {"messages": HELLO, "model": "claude-3-5-haiku-latest"}, CLAUDE, "haiku"),
        ("messages", {"messages": HELLO, "model": "claude-haiku-4-5"}, CLAUDE | {"x-claude-code-request-class": "main"}, None),
        ("messages", {"messages": HELLO, "model": "claude-sonnet-4-5"}, {}, None),
        ("messages", {"messages": HELLO, "model": "gpt-6-luna"}, {}, None),
        # Only Claude Code's word counts, not that of a client that copies its header.
        ("chat", {"messages": HELLO}, {"x-claude-code-request-class": "auxiliary"}, None),
        # Codex.
        ("compact", {"input": ITEMS}, CODEX, "remote_compaction"),
        ("compact", {"input": ITEMS}, {}, "remote_compaction"),
        ("responses", {"input": [*ITEMS, TRIGGER]}, kind("compaction"), "remote_compaction"),
        ("responses", {"input": ITEMS}, kind("compaction"), "compaction"),
        ("responses", {"input": ITEMS}, kind("turn"), None),
        ("responses", {"input": ITEMS}, CODEX | {"x-codex-turn-metadata": '{"request_kind":"compaction"'}, None),
        ("responses", {"input": ITEMS}, CODEX | {"x-codex-turn-metadata": '{"note":"compaction"}'}, None),
        ("responses", {"input": ITEMS, "model": "codex-auto-review"}, CODEX, "auto_review"),
        ("responses", {"input": ITEMS}, CODEX | {"x-openai-subagent": "guardian"}, "auto_review"),
        ("responses", {"input": ITEMS}, CODEX | {"x-openai-subagent": "memory_consolidation"}, "memory"),
        ("responses", {"input": ITEMS}, CODEX | {"x-openai-subagent": "review"}, None),
        ("responses", {"input": ITEMS}, CODEX | {"x-openai-subagent": "collab_spawn"}, None),
        ("responses", {"input": ITEMS}, {"x-openai-subagent": "guardian"}, None),
        # Open WebUI.
        ("chat", {"messages": HELLO, "metadata": {"task": "title_generation"}}, {}, "ui_task"),
        ("chat", {"messages": HELLO, "metadata": {"task": "moa_response_generation"}}, {}, None),
        ("chat", {"messages": HELLO, "metadata": {"task": ["title_generation"]}}, {}, None),
        ("chat", {"messages": HELLO}, {}, None),
    ],
)  # fmt: skip
def test_a_class_is_told_by_what_is_declared(
    endpoint: str, body: dict[str, Any], headers: dict[str, str], expected: str | None
) -> None:
    assert told(endpoint, body, headers) == expected


@pytest.mark.parametrize(
    "words",
    [
        "CRITICAL: Respond with TEXT ONLY",
        "Please write a 5-10 word title",
        "compact this, auto-review",
    ],
)
def test_no_text_of_a_conversation_makes_small_work(words: str) -> None:
    messages = [{"role": "system", "content": words}, {"role": "user", "content": words}]
    items = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]}
    ]

    assert told("chat", {"messages": messages}, {}) is None
    assert told("messages", {"messages": messages[1:], "system": words}, CLAUDE) is None
    assert told("responses", {"input": items, "instructions": words}, CODEX) is None


def test_of_all_recorded_bodies_only_those_of_small_work_are_told_as_such() -> None:
    found = {}
    for path in sorted((ROOT / "tests/corpus").glob("*.json")):
        recorded = json.loads(path.read_text())
        where, body = recorded["endpoint"], recorded["body"]
        if not isinstance(body, dict) or body.get("model") == "claude-x":
            continue
        endpoint = next(n for n in ("messages", "chat", "responses") if n in where)
        headers = {name.lower(): value for name, value in recorded["headers"].items()}
        with contextlib.suppress(BadRequest, UnknownModel):
            if work := told(endpoint, body, headers):
                found[path.stem] = work.value

    assert found == {
        "076_codex-compact_resp_toolturn_stream": "compaction",
        "227_open-webui-title_chat": "ui_task",
        "229_claude332-safeguards_msgs": "auxiliary",
    }


def test_an_alias_of_the_owner_is_no_haiku() -> None:
    own = Catalogue.built_in(aliases={"claude-haiku-*": "gpt-5.5"})

    assert is_haiku("claude-haiku-4-5", CATALOGUE)
    assert not is_haiku("claude-haiku-4-5", own)
    assert not is_haiku("claude-gpt-6-luna", CATALOGUE)


def test_a_model_without_images_or_with_a_small_window_does_not_fit() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    seen = {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}, image]}]}
    plain, pictured = (
        translate("chat", body, ClientTraits()) for body in ({"messages": HELLO}, seen)
    )
    blind = Model(slug="small", input_modalities=("text",), context_window=1000)
    seeing = Model(slug="small", context_window=1000)

    assert misfit(plain, blind, tokens=100) is None
    assert misfit(pictured, blind, tokens=100) is WorkOutcome.IMAGES
    assert misfit(pictured, seeing, tokens=100) is None
    assert misfit(plain, seeing, tokens=901) is WorkOutcome.CONTEXT
    assert misfit(plain, Model(slug="unknown"), tokens=10**9) is None


def test_an_image_that_a_tool_gave_counts() -> None:
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    items = [
        *ITEMS,
        {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [picture]},
    ]
    found = translate("responses", {"input": items}, ClientTraits.of(CODEX))

    assert (
        misfit(found, Model(slug="s", input_modalities=("text",)), tokens=1) is WorkOutcome.IMAGES
    )


def test_a_keys_own_models_stand_in_place_of_the_settings() -> None:
    general = {"auxiliary": "gpt-6-luna"}

    assert small_models_of("", general) == general
    assert small_models_of("none", general) == {}
    assert small_models_of("haiku=gpt-5.5", general) == {"haiku": "gpt-5.5"}
    assert unknown_classes({"auxiliary": "x", "title": "y"}) == ["title"]
