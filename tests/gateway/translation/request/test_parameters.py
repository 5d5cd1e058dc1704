"""Every parameter that is neither history nor tools: sent, refused or left out."""

from typing import Any

import pytest

from codex_proapi.commons.codex.model_catalogue import Catalogue, Model, Resolved
from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.client_body import ClientBody
from codex_proapi.gateway.translation.dropped_parameters import Dropped
from codex_proapi.gateway.translation.request import parameters

RESOLVED = Catalogue.built_in().resolve("gpt-5.5")
BARE = Resolved(model=Model(slug="bare", support_verbosity=False))
OBJECT = {"type": "object"}


def _body(**values: Any) -> ClientBody:
    return ClientBody(values={name: value for name, value in values.items() if value is not None})


def _effort(body: ClientBody, resolved: Resolved, *, default: str | None) -> Any:
    found = parameters.reasoning_of(body, resolved, default_effort=default, summary=None)
    return found.get("effort")


@pytest.mark.parametrize(
    ("values", "effort"),
    [
        ({}, "medium"),
        ({"reasoning_effort": "high"}, "high"),
        ({"reasoning_effort": " HIGH "}, "high"),
        ({"reasoning_effort": "extra-high"}, "xhigh"),
        ({"reasoning_effort": "off"}, "low"),
        ({"reasoning_effort": "minimal"}, "low"),
        ({"reasoning_effort": "ultra"}, "xhigh"),
        ({"reasoning_effort": "auto"}, "medium"),
        ({"reasoning_effort": ""}, "medium"),
        ({"reasoning": {"effort": "low"}}, "low"),
        ({"reasoning": {"effort": None}}, "medium"),
        ({"reasoning": "low"}, "medium"),
        ({"reasoning_effort": "low", "reasoning": {"effort": "high"}}, "low"),
        ({"reasoning": {"max_tokens": 4096}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 20000}}, "high"),
        ({"thinking": {"type": "enabled"}}, "medium"),
        ({"thinking": {"type": "disabled"}}, "low"),
        ({"thinking_budget": 100_000}, "xhigh"),
        ({"thinking_budget": -1}, "medium"),
        ({"thinking_budget": True}, "medium"),
    ],
)
def test_the_effort_on_the_wire(values: Any, effort: str) -> None:
    assert _effort(_body(**values), RESOLVED, default=None) == effort


@pytest.mark.parametrize(
    ("budget", "effort"),
    [(0, "none"), (1, "minimal"), (512, "minimal"), (513, "low"), (1024, "low"), (8192, "medium"),
     (8193, "high"), (24576, "high"), (24577, "xhigh")],
)  # fmt: skip
def test_a_budget_means_an_effort(budget: int, effort: str) -> None:
    assert _effort(_body(thinking_budget=budget), BARE, default=None) == effort


def test_the_name_of_the_model_beats_the_body_beats_the_key_beats_the_catalogue() -> None:
    suffixed = Catalogue.built_in().resolve("gpt-5.5-high")
    body = _body(reasoning_effort="low")

    assert _effort(body, suffixed, default="xhigh") == "high"
    assert _effort(body, RESOLVED, default="xhigh") == "low"
    assert _effort(_body(), RESOLVED, default="xhigh") == "xhigh"
    assert _effort(_body(), RESOLVED, default=None) == "medium"
    assert _effort(_body(), BARE, default=None) is None


def test_a_default_effort_we_do_not_know_is_sent_as_it_is() -> None:
    fresh = Resolved(model=Model(slug="m", default_effort="gigantic"))

    assert _effort(_body(), fresh, default=None) == "gigantic"


@pytest.mark.parametrize(
    ("values", "param"),
    [
        ({"reasoning_effort": "banana"}, "reasoning_effort"),
        ({"reasoning_effort": 7}, "reasoning_effort"),
        ({"reasoning": {"effort": "banana"}}, "reasoning.effort"),
    ],
)
def test_an_unknown_effort_is_refused(values: Any, param: str) -> None:
    with pytest.raises(BadRequest, match="none, minimal, low") as refused:
        _effort(_body(**values), RESOLVED, default=None)

    assert refused.value.param == param


@pytest.mark.parametrize(
    ("values", "by_default", "reasoning"),
    [
        ({}, None, {"effort": "medium"}),
        ({}, "auto", {"effort": "medium", "summary": "auto"}),
        ({"reasoning": {"summary": "detailed"}}, "auto", {"effort": "medium", "summary": "detailed"}),
        ({"reasoning": {"generate_summary": "concise"}}, None, {"effort": "medium", "summary": "concise"}),
        ({"reasoning": {"summary": "none"}}, "auto", {"effort": "medium"}),
        ({"reasoning": {"summary": 7, "context": "all_turns"}}, None, {"effort": "medium"}),
        ({"include_reasoning": True}, None, {"effort": "medium", "summary": "auto"}),
        ({"include_reasoning": False}, "auto", {"effort": "medium"}),
        ({"reasoning": {"enabled": True}}, None, {"effort": "medium", "summary": "auto"}),
        ({"reasoning": {"exclude": True}}, "auto", {"effort": "medium"}),
        ({"reasoning_summary": "detailed"}, None, {"effort": "medium", "summary": "detailed"}),
        ({"reasoningSummary": "auto"}, None, {"effort": "medium", "summary": "auto"}),
        ({"reasoning_summary": True}, None, {"effort": "medium", "summary": "auto"}),
        ({"reasoning_summary": "none"}, "auto", {"effort": "medium"}),
        ({"enable_thinking": True}, None, {"effort": "medium", "summary": "auto"}),
        ({"thinking": True}, None, {"effort": "medium", "summary": "auto"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 1000}}, None, {"effort": "low", "summary": "auto"}),
        ({"thinking": {"type": "adaptive"}}, None, {"effort": "medium", "summary": "auto"}),
        ({"reasoning_effort": {"effort": "high", "summary": "concise"}}, None, {"effort": "high", "summary": "concise"}),
        ({"reasoning_effort": {"effort": "high"}}, None, {"effort": "high"}),
    ],
)  # fmt: skip
def test_a_summary_is_asked_for_where_somebody_wants_one(
    values: Any, by_default: str | None, reasoning: Any
) -> None:
    found = parameters.reasoning_of(
        _body(**values), RESOLVED, default_effort=None, summary=by_default
    )

    assert found == reasoning


def test_without_anything_known_nothing_is_said_about_reasoning() -> None:
    assert parameters.reasoning_of(_body(), BARE, default_effort=None, summary=None) == {}


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, {}),
        ({"verbosity": "low"}, {"verbosity": "low"}),
        ({"text": {"verbosity": "high", "x": 1}}, {"verbosity": "high"}),
        ({"response_format": {"type": "text"}}, {}),
        ({"text": {"format": {"type": "text"}}}, {}),
        ({"response_format": {"type": "json_object"}}, {"format": {"type": "json_object"}}),
        (
            {"response_format": {"type": "json_schema",
                                 "json_schema": {"name": "s", "strict": True, "schema": OBJECT, "description": "d"}}},
            {"format": {"type": "json_schema", "name": "s", "schema": OBJECT, "strict": True, "description": "d"}},
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": OBJECT, "strict": None}}},
            {"format": {"type": "json_schema", "name": "response", "schema": OBJECT}},
        ),
        (
            {"text": {"format": {"type": "json_schema", "name": "a b" + "c" * 70, "schema": OBJECT}}},
            {"format": {"type": "json_schema", "name": "a_b" + "c" * 61, "schema": OBJECT}},
        ),
        (
            {"response_format": {"type": "json_schema", "name": "", "schema": OBJECT}},
            {"format": {"type": "json_schema", "name": "response", "schema": OBJECT}},
        ),
    ],
)  # fmt: skip
def test_the_form_of_the_answer(values: Any, text: Any) -> None:
    assert parameters.text_of(_body(**values), RESOLVED.model, Dropped()) == text


@pytest.mark.parametrize(
    ("values", "param"),
    [
        ({"verbosity": "banana"}, "verbosity"),
        ({"verbosity": 7}, "verbosity"),
        ({"text": 7}, "text"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"response_format": "json"}, "response_format.type"),
        ({"text": {"format": {}}}, "text.format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema"),
    ],
)
def test_a_form_that_cannot_be_had_is_refused(values: Any, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parameters.text_of(_body(**values), RESOLVED.model, Dropped())

    assert refused.value.param == param


def test_verbosity_is_left_out_where_the_model_has_none() -> None:
    dropped = Dropped()

    assert parameters.text_of(_body(verbosity="low"), BARE.model, dropped) == {}
    assert dropped.names == ("verbosity",)


@pytest.mark.parametrize(
    ("name", "values", "tier", "left_out"),
    [
        ("gpt-5.5", {}, None, ()),
        ("gpt-5.5", {"service_tier": "priority"}, "priority", ()),
        ("gpt-5.5", {"service_tier": "fast"}, "priority", ()),
        ("gpt-5.5", {"speed": "fast"}, "priority", ()),
        ("gpt-5.5", {"speed": "standard"}, None, ()),
        ("gpt-5.5", {"service_tier": "auto"}, None, ()),
        ("gpt-5.5", {"service_tier": "default"}, None, ()),
        ("gpt-5.5", {"service_tier": "flex"}, None, ("service_tier",)),
        ("gpt-5.5", {"service_tier": 7}, None, ("service_tier",)),
        ("gpt-5.5-fast", {}, "priority", ()),
        ("gpt-daybreak-red-latest-fast", {}, None, ()),
    ],
)
def test_the_service_tier(name: str, values: Any, tier: str | None, left_out: Any) -> None:
    dropped = Dropped()
    resolved = Catalogue.built_in().resolve(name)

    assert parameters.tier_of(_body(**values), resolved, dropped) == tier
    assert dropped.names == left_out


@pytest.mark.parametrize(
    ("values", "faster"),
    [
        ({"service_tier": "ultrafast"}, True),
        ({"service_tier": "priority"}, True),
        ({"speed": "fast"}, True),
        ({"service_tier": "flex"}, False),
        ({"service_tier": "auto"}, False),
        ({"service_tier": 7}, False),
        ({}, False),
    ],
)
def test_whether_a_body_asks_for_a_faster_service(values: Any, faster: bool) -> None:
    assert parameters.asks_faster(_body(**values)) is faster


def test_a_tier_the_model_lists_is_sent() -> None:
    resolved = Resolved(model=Model(slug="m", service_tiers=("flex",)))

    assert parameters.tier_of(_body(service_tier="flex"), resolved, Dropped()) == "flex"


@pytest.mark.parametrize("values", [{"service_tier": "priority"}, {"speed": "fast"}])
def test_a_fast_tier_the_model_has_not_is_refused(values: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        parameters.tier_of(_body(**values), BARE, Dropped())

    assert (refused.value.param, refused.value.code) == ("service_tier", "unsupported_value")


@pytest.mark.parametrize(
    ("stop", "found"),
    [
        (None, ()),
        ("a", ("a",)),
        ("", ()),
        ([], ()),
        (["a", "", "b"], ("a", "b")),
        (["x"] * 16, ("x",) * 16),
    ],
)
def test_where_to_stop(stop: Any, found: Any) -> None:
    assert parameters.stops_of(_body(stop=stop)) == found


@pytest.mark.parametrize("stop", [7, False, {}, ["a", 7], [None], [["a"]], ["x"] * 17, "x" * 1001])
def test_what_cannot_stop_is_refused(stop: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        parameters.stops_of(_body(stop=stop))

    assert refused.value.param == "stop"


@pytest.mark.parametrize(
    ("values", "wish"),
    [
        ({}, None),
        ({"parallel_tool_calls": True}, True),
        ({"parallel_tool_calls": False}, False),
        ({"parallel_tool_calls": 1}, None),
        ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, False),
        ({"tool_choice": {"type": "auto"}}, None),
    ],
)
def test_the_wish_for_parallel_calls(values: Any, wish: bool | None) -> None:
    assert parameters.parallel_of(_body(**values)) is wish


@pytest.mark.parametrize(
    ("values", "param", "code"),
    [
        ({"n": 2}, "n", "unsupported_value"),
        ({"n": 0}, "n", "unsupported_value"),
        ({"n": "1"}, "n", "unsupported_value"),
        ({"modalities": ["text", "audio"]}, "modalities", "unsupported_parameter"),
        ({"audio": {"voice": "x"}}, "audio", "unsupported_parameter"),
        ({"background": True}, "background", "unsupported_parameter"),
        ({"conversation": "conv_1"}, "conversation", "unsupported_parameter"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt", "unsupported_parameter"),
    ],
)
def test_what_would_be_answered_wrongly_is_refused(values: Any, param: str, code: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parameters.refuse_impossible(_body(**values))

    assert (refused.value.param, refused.value.code) == (param, code)


@pytest.mark.parametrize("values", [{}, {"n": 1}, {"modalities": ["text"]}, {"background": False}])
def test_what_changes_nothing_is_accepted(values: Any) -> None:
    parameters.refuse_impossible(_body(**values))


LEFT_OUT = (
    *("max_tokens", "max_completion_tokens", "max_output_tokens", "temperature", "top_p", "top_k"),
    *("min_p", "presence_penalty", "frequency_penalty", "seed", "logit_bias", "logprobs"),
    *("top_logprobs", "metadata", "user", "safety_identifier", "prediction"),
    *("prompt_cache_retention", "truncation", "client_metadata", "max_tool_calls"),
    *("context_management", "prompt_cache_options", "generate", "anything_unknown"),
)


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_upstream_refuses_is_left_out_and_named(name: str) -> None:
    dropped = Dropped()
    parameters.note_dropped(_body(**{name: 1}), dropped)

    assert dropped.names == (name,)


@pytest.mark.parametrize("name", sorted(parameters.HANDLED - {"include"}))
def test_what_has_a_rule_is_not_named(name: str) -> None:
    dropped = Dropped()
    parameters.note_dropped(_body(**{name: 1}), dropped)

    assert dropped.names == ()


def test_what_else_was_to_be_included_is_named() -> None:
    dropped = Dropped()
    wanted = ["reasoning.encrypted_content", "web_search_call.action.sources", 7]
    parameters.note_dropped(_body(include=wanted), dropped)
    parameters.note_dropped(_body(include=7), dropped)

    assert dropped.names == ("include.web_search_call.action.sources",)


@pytest.mark.parametrize("name", sorted(parameters.READ))
def test_a_parameter_is_made_of_the_keys_named_for_it_alone(name: str) -> None:
    for value in (True, 7, "fast", ["x"], {"type": "json_object", "effort": "low"}):
        body, dropped = _body(**{name: value}), Dropped()

        if name not in parameters.IMPOSSIBLE:
            parameters.refuse_impossible(body)
        if name not in parameters.PARALLEL:
            assert parameters.parallel_of(body) is None, value
        if name not in parameters.TEXT:
            assert parameters.text_of(body, RESOLVED.model, dropped) == {}, value
        if name not in parameters.TIER:
            assert parameters.tier_of(body, RESOLVED, dropped) is None, value
            assert parameters.asks_faster(body) is False, value
        if name not in parameters.REASONING:
            effort = _effort(body, RESOLVED, default=None)
            assert effort == _effort(_body(), RESOLVED, default=None), value
        assert dropped.names == (), value
