"""Effort, thinking, form of the answer, tier, system prompt."""

from typing import Any

import pytest
from support import askings as up
from support.messages_bodies import asked, sent, text, tool, user

from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.anthropic.request import safeguard_types, stop_sequences
from codex_proapi.gateway.formats.client_body import ClientBody
from codex_proapi.gateway.translation.dropped_parameters import Dropped
from codex_proapi.gateway.translation.messages.answer.options import MessagesOptions
from codex_proapi.gateway.translation.messages.request import parameters
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    RequestOptions,
)

BILLING = "x-anthropic-billing-header: cc_version=2.1.332.18b; cc_entrypoint=sdk-cli;"
SUMMARY = user(text("a"), text("CRITICAL: Respond with TEXT ONLY. Do NOT call any tools."))


def reasoning(**body: Any) -> Any:
    return sent(body).get("reasoning")


def answer(**body: Any) -> MessagesOptions:
    options = asked(body).answer
    assert isinstance(options, MessagesOptions)
    return options


@pytest.mark.parametrize(
    ("body", "effort"),
    [
        ({}, "medium"),
        ({"output_config": {"effort": "low"}}, "low"),
        ({"output_config": {"effort": "max"}}, "xhigh"),
        ({"output_config": {"effort": "enormous"}}, "medium"),
        ({"output_config": 7}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 8000}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 16000}}, "high"),
        ({"thinking": {"type": "enabled", "budget_tokens": 31999}}, "xhigh"),
        ({"thinking": {"type": "enabled", "budget_tokens": "many"}}, "medium"),
        ({"thinking": {"type": "adaptive"}}, "medium"),
        ({"thinking": {"type": "disabled"}}, "low"),
        ({"thinking": 7}, "medium"),
        (
            {
                "thinking": {"type": "enabled", "budget_tokens": 1024},
                "output_config": {"effort": "high"},
            },
            "high",
        ),
        ({"model": "gpt-5.5-low", "output_config": {"effort": "high"}}, "low"),
    ],
)
def test_effort(body: dict[str, Any], effort: str) -> None:
    assert reasoning(**body)["effort"] == effort


def test_keys_own_effort_stands_in() -> None:
    options = RequestOptions(default_effort="high")

    assert sent({}, options=options)["reasoning"]["effort"] == "high"


@pytest.mark.parametrize(
    ("thinking", "summary", "written", "with_text"),
    [
        (None, None, False, True),
        ({"type": "disabled"}, None, False, True),
        ({"type": "adaptive"}, "auto", True, True),
        ({"type": "adaptive", "display": "summarized"}, "auto", True, True),
        ({"type": "adaptive", "display": "updates"}, "auto", True, True),
        ({"type": "adaptive", "display": "omitted"}, None, True, False),
        ({"type": "enabled", "budget_tokens": 1024}, "auto", True, True),
    ],
)
def test_thinking_is_asked_for_and_written_as_wanted(
    thinking: Any, summary: str | None, written: bool, with_text: bool
) -> None:
    body = {"thinking": thinking}

    assert reasoning(**body).get("summary") == summary
    assert (answer(**body).thinking, answer(**body).summaries) == (written, with_text)


STRICT = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"output_config": {"format": {"type": "grammar"}}}, "output_config.format.type"),
        ({"output_config": {"format": {}}}, "output_config.format.type"),
        ({"output_config": {"format": "json"}}, "output_config.format"),
        ({"output_format": {"type": "json_object"}}, "output_format.type"),
        ({"output_format": {"type": "json_schema"}}, "output_format.schema"),
    ],
)
def test_a_format_of_another_type_is_refused(body: Any, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        sent(body)

    assert refused.value.param == param


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (STRICT, True),
        ({**STRICT, "required": []}, False),
        ({**STRICT, "required": 7}, False),
        ({**STRICT, "additionalProperties": True}, False),
        ({"type": "object"}, False),
        ({**STRICT, "properties": {"title": {"type": "object", "properties": {}}}}, False),
        ({**STRICT, "properties": {"title": {"anyOf": [STRICT, {"type": "null"}]}}}, True),
        ({**STRICT, "properties": {"title": {"type": "array", "items": STRICT}}}, True),
        ({**STRICT, "$defs": {"a": {"type": "object"}}}, False),
    ],
)
@pytest.mark.parametrize("where", ["output_config", "output_format"])
def test_schema_of_the_answer(schema: Any, strict: bool, where: str) -> None:
    form = {"type": "json_schema", "schema": schema}
    body = {where: {"format": form} if where == "output_config" else form}

    assert sent(body)["text"] == {
        "format": {"type": "json_schema", "name": "response", "schema": schema, "strict": strict}
    }


def test_schema_that_is_missing_is_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        sent({"output_config": {"format": {"type": "json_schema"}}})

    assert caught.value.param == "output_config.format.schema"


def test_speed() -> None:
    assert sent({"speed": "fast"})["service_tier"] == "priority"
    assert "service_tier" not in sent({"service_tier": "standard_only"})
    slow = asked({"speed": "fast", "model": "gpt-daybreak-red-latest"})
    assert (slow.request.service_tier, slow.dropped) == (None, ("speed",))


def test_billing_block_is_left_out_and_tells_claude_code() -> None:
    body = {"system": [text(BILLING), text("You are"), text("more", cache_control={})]}

    assert sent(body)["instructions"] == "You are\n\nmore"
    assert answer(**body).claude_code
    assert sent({"system": f"{BILLING}\n\nYou are"})["instructions"] == "You are"
    assert not answer(system="You are").claude_code


def test_system_prompt_leads_in_the_lite_shape() -> None:
    (first, *_) = sent({"system": "You are", "model": up.LITE})["input"]

    assert first == up.developer("You are")


@pytest.mark.parametrize(
    ("body", "client"),
    [
        ({"messages": [SUMMARY]}, ClientTraits()),
        ({"messages": [user("CRITICAL: Respond with TEXT ONLY.")]}, ClientTraits()),
        ({}, ClientTraits(request_class="compaction")),
    ],
)
def test_summary_calls_nothing_and_thinks_little(
    body: dict[str, Any], client: ClientTraits
) -> None:
    body = {**body, "tools": [tool("A")], "output_config": {"effort": "high"}}
    found = sent(body, client=client)

    assert found["tool_choice"] == "none"
    assert found["reasoning"]["effort"] == "low"


def test_background_work_thinks_little() -> None:
    client = ClientTraits(request_class="auxiliary")
    found = sent({"output_config": {"effort": "high"}, "tools": [tool("A")]}, client=client)

    assert (found["reasoning"]["effort"], found["tool_choice"]) == ("low", "auto")


def test_what_is_left_out_is_named_and_nothing_unknown_is_refused() -> None:
    translated = asked(
        {
            "max_tokens": 32000,
            "temperature": 1,
            "top_k": 5,
            "context_management": {"edits": []},
            "betas": [],
            "something_new": {"a": 1},
        }
    )

    assert translated.dropped == ("temperature", "top_k", "something_new")


@pytest.mark.parametrize("name", sorted(parameters.PLAIN))
@pytest.mark.parametrize("value", [True, 7, "fast", ["x"], {"type": "enabled", "effort": "low"}])
def test_what_every_request_may_have_changes_no_other_parameter(name: str, value: Any) -> None:
    body, dropped = ClientBody(values={name: value}), Dropped()
    resolved = Catalogue.built_in().resolve("gpt-5.5")

    parameters.note_dropped(body, dropped)
    assert dropped.names == ()
    assert parameters.read_thinking(body) == parameters.NO_THINKING
    assert parameters.parallel_of(body) is None
    assert parameters.text_of(body) == {}
    assert parameters.tier_of(body, resolved, dropped) is None
    assert stop_sequences(body) == ()
    assert safeguard_types(body) == ()
