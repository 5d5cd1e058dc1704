"""One row for each rule: what the backend refuses about parameters, model and shape."""

from typing import Any

import pytest
from support.requests_upstream import a_function, a_lite_turn, a_message, a_turn, changed

from codex_proapi.simulator.state.accounts import SimulatedAccount
from codex_proapi.simulator.state.leniency import Leniency
from codex_proapi.simulator.state.refusals import Refusal
from codex_proapi.simulator.state.seals import seal
from codex_proapi.simulator.validation.request_rules import LITE_HEADER, check_request
from codex_proapi.simulator.validation.values import Refused

ADA = SimulatedAccount(name="ada", plan="plus")
FREE = SimulatedAccount(name="fred", plan="free")
LITE = {LITE_HEADER: "true", "version": "0.169.0", "originator": "codex_cli_rs"}


def refusal_of(body: Any, headers: Any = None, account: Any = ADA, leniency: Any = None) -> Refusal:
    with pytest.raises(Refused) as raised:
        check_request(body, headers or {}, account, leniency or Leniency())
    return raised.value.refusal


def test_a_good_classic_request_passes() -> None:
    checked = check_request(a_turn(), {}, ADA)

    assert checked.model.slug == "gpt-5.5"
    assert not checked.lite


def test_a_good_lite_request_passes_and_its_tools_are_found() -> None:
    checked = check_request(a_lite_turn(), LITE, ADA)

    assert checked.lite
    assert [tool["name"] for tool in checked.tools] == ["get_weather"]


FORBIDDEN = [
    *("max_output_tokens", "max_completion_tokens", "max_tokens", "temperature", "top_p"),
    *("frequency_penalty", "presence_penalty", "user", "metadata", "truncation"),
    *("safety_identifier", "stream_options", "prompt_cache_retention", "prompt_cache_options"),
    *("context_management", "background", "logprobs", "top_logprobs", "n", "seed", "stop"),
    *("logit_bias", "response_format", "conversation", "previous_response_id", "messages"),
]


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_parameter_outside_the_list_is_refused_by_name(name: Any) -> None:
    refusal = refusal_of(a_turn(**{name: None}))

    assert refusal.status == 400
    assert refusal.body == {"detail": f"Unsupported parameter: {name}"}


DETAILS = [
    ("stream", False, "Stream must be set to true"),
    ("stream", ..., "Stream must be set to true"),
    ("store", True, "Store must be set to false"),
    ("store", ..., "Store must be set to false"),
    ("input", "hello", "Input must be a list"),
    ("service_tier", "auto", "Unsupported service_tier: auto"),
    ("service_tier", "fast", "Unsupported service_tier: fast"),
    (
        "model",
        "gpt-5.3-codex",
        "The 'gpt-5.3-codex' model is not supported when using Codex with a ChatGPT account.",
    ),
]


@pytest.mark.parametrize(("path", "value", "detail"), DETAILS)
def test_a_wrong_shape_is_refused_in_short_form(path: Any, value: Any, detail: Any) -> None:
    body = changed(a_turn(stream=True, service_tier="priority"), path, value)

    assert refusal_of(body).body == {"detail": detail}


def test_a_body_that_is_no_object_is_refused() -> None:
    assert refusal_of([1]).status == 400


TOOLS = [a_function()]
LONG_FORM = [
    ("instructions", None, "instructions", "invalid_type"),
    ("input", [], "input", "missing_required_parameter"),
    ("model", ..., "model", "missing_required_parameter"),
    ("model", 5, "model", "invalid_type"),
    ("include", ["message.output_text.logprobs"], "include[0]", "invalid_value"),
    ("include", "reasoning.encrypted_content", "include", "invalid_type"),
    ("prompt_cache_key", "x" * 65, "prompt_cache_key", "string_above_max_length"),
    ("prompt_cache_key", 7, "prompt_cache_key", "invalid_type"),
    ("client_metadata", [], "client_metadata", "invalid_type"),
    ("client_metadata", {"a": 1}, "client_metadata.a", "invalid_type"),
    ("parallel_tool_calls", "yes", "parallel_tool_calls", "invalid_type"),
    ("tool_choice", "any", "tool_choice", "invalid_value"),
    ("tool_choice", 5, "tool_choice", "invalid_type"),
    ("tool_choice", {"type": "function", "name": "other"}, "tool_choice", "invalid_value"),
    (
        "tool_choice",
        {"type": "function", "function": {"name": "get_weather"}},
        "tool_choice.function",
        "unknown_parameter",
    ),
    ("tool_choice", {"type": "mcp"}, "tool_choice.type", "invalid_value"),
    ("tool_choice", {"type": "allowed_tools"}, "tool_choice.mode", "invalid_value"),
    (
        "tool_choice",
        {"type": "allowed_tools", "mode": "auto", "tools": [{"name": "other"}]},
        "tool_choice.tools",
        "invalid_value",
    ),
    ("reasoning", None, "reasoning", "invalid_type"),
    ("reasoning", {"effort": "minimal"}, "reasoning.effort", "unsupported_value"),
    ("reasoning", {"effort": "none"}, "reasoning.effort", "unsupported_value"),
    ("reasoning", {"effort": "ultra"}, "reasoning.effort", "unsupported_value"),
    ("reasoning", {"effort": True}, "reasoning.effort", "unsupported_value"),
    ("reasoning", {"summary": "long"}, "reasoning.summary", "invalid_value"),
    ("reasoning", {"budget": 5}, "reasoning.budget", "unknown_parameter"),
    ("text", None, "text", "invalid_type"),
    ("text", {"verbosity": "huge"}, "text.verbosity", "invalid_value"),
    ("text", {"style": "x"}, "text.style", "unknown_parameter"),
    ("text", {"format": "json"}, "text.format", "invalid_type"),
    ("text", {"format": {"type": "xml"}}, "text.format.type", "invalid_value"),
    ("text", {"format": {"type": "json_object"}}, "input", None),
    (
        "text",
        {"format": {"type": "json_schema", "schema": {}}},
        "text.format.name",
        "missing_required_parameter",
    ),
    (
        "text",
        {"format": {"type": "json_schema", "name": "a"}},
        "text.format.schema",
        "missing_required_parameter",
    ),
    (
        "text",
        {"format": {"type": "json_schema", "name": "a", "schema": []}},
        "text.format.schema",
        "invalid_type",
    ),
    (
        "text",
        {
            "format": {
                "type": "json_schema",
                "name": "a",
                "strict": True,
                "schema": {"type": "object", "properties": {}},
            }
        },
        "text.format.schema",
        "invalid_json_schema",
    ),
    (
        "text",
        {"format": {"type": "json_schema", "name": "a", "schema": {}, "json_schema": {}}},
        "text.format.json_schema",
        "unknown_parameter",
    ),
]


@pytest.mark.parametrize(("path", "value", "param", "code"), LONG_FORM)
def test_a_wrong_value_is_refused_in_long_form(
    path: Any, value: Any, param: Any, code: Any
) -> None:
    body = changed(a_turn(tools=TOOLS, instructions="x"), path, value)

    refusal = refusal_of(body)

    assert refusal.status == 400
    error = refusal.body["error"]
    assert (error["type"], error["param"], error["code"]) == (
        "invalid_request_error",
        param,
        code,
    )


def test_the_message_about_an_effort_lists_those_there_are() -> None:
    refusal = refusal_of(a_turn(reasoning={"effort": "minimal"}))

    assert refusal.body["error"]["message"] == (
        "Unsupported value: 'minimal' is not supported with the 'gpt-5.5' model. "
        "Supported values are: 'low', 'medium', 'high', 'xhigh'."
    )


def test_a_number_is_an_effort() -> None:
    check_request(a_turn(reasoning={"effort": 7}), {}, ADA)


def test_json_object_passes_when_a_message_says_json() -> None:
    check_request(a_turn("as JSON please", text={"format": {"type": "json_object"}}), {}, ADA)


@pytest.mark.parametrize(
    "choice",
    [
        *("auto", "none", "required"),
        {"type": "function", "name": "get_weather"},
        {"type": "allowed_tools", "mode": "auto", "tools": [{"name": "get_weather"}]},
    ],
)
def test_every_known_tool_choice_passes(choice: Any) -> None:
    check_request(a_turn(tools=TOOLS, tool_choice=choice), {}, ADA)


def test_required_without_tools_is_refused() -> None:
    assert refusal_of(a_turn(tool_choice="required")).body["error"]["param"] == "tool_choice"


def test_parallel_calls_without_tools_are_refused() -> None:
    refusal = refusal_of(a_turn(parallel_tool_calls=True))

    assert refusal.body["error"]["param"] == "parallel_tool_calls"


def test_forcing_a_search_that_is_not_offered_is_a_bad_gateway() -> None:
    refusal = refusal_of(a_turn(tool_choice={"type": "web_search"}))

    assert refusal.status == 502


def test_forcing_a_search_that_is_offered_passes() -> None:
    tools = [{"type": "web_search"}]
    check_request(a_turn(tools=tools, tool_choice={"type": "web_search"}), {}, ADA)


def test_a_model_outside_the_plan_is_refused() -> None:
    refusal = refusal_of(a_turn(model="codex-auto-review"), account=FREE)

    assert "not supported when using Codex" in refusal.body["detail"]


@pytest.mark.parametrize(
    "headers",
    [{"version": "0.125.0"}, {"user-agent": "codex_cli_rs/0.125.0 (Debian 12; x86_64)"}],
)
def test_an_old_client_is_told_to_upgrade(headers: Any) -> None:
    refusal = refusal_of(a_turn(model="gpt-5.6-sol"), headers)

    assert "requires a newer version of Codex" in refusal.body["detail"]


def test_a_new_enough_client_passes() -> None:
    check_request(a_turn(model="gpt-5.6-sol"), {"version": "0.144.6"}, ADA)


def test_luna_is_not_found_without_the_codex_identity() -> None:
    refusal = refusal_of(a_turn(model="gpt-5.6-luna"))

    assert refusal.status == 404
    assert refusal.body["error"]["message"] == "Model not found gpt-5.6-luna"


def test_luna_is_found_with_the_codex_identity() -> None:
    headers = {"originator": "codex_cli_rs", "version": "0.169.0", "session-id": "s"}
    check_request(a_turn(model="gpt-5.6-luna"), headers, ADA)


LITE_FAULTS = [
    ("reasoning", {"effort": "low"}, "reasoning.context", "unsupported_value"),
    ("reasoning", ..., "reasoning.context", "unsupported_value"),
    ("tools", [a_function()], "tools", "invalid_value"),
    ("parallel_tool_calls", True, "parallel_tool_calls", "unsupported_value"),
    ("tool_choice", "required", "tool_choice", "unsupported_value"),
    ("input.0.role", "user", "input[0].role", "invalid_value"),
    ("input.0.tools", [], "input[0].tools", "empty_array"),
    ("input.0.tools", [{"type": "web_search"}], "input[0].tools[0].type", "invalid_value"),
    ("model", "gpt-5.5", "model", "unsupported_value"),
]


@pytest.mark.parametrize(("path", "value", "param", "code"), LITE_FAULTS)
def test_a_lite_request_with_a_classic_habit_is_refused(
    path: Any, value: Any, param: Any, code: Any
) -> None:
    body = a_lite_turn()
    body.setdefault("tools", ...)
    body = {name: part for name, part in changed(body, path, value).items() if part is not ...}

    error = refusal_of(body, LITE).body["error"]

    assert (error["param"], error["code"]) == (param, code)


def test_tools_in_a_namespace_are_found() -> None:
    wrapped = [{"type": "namespace", "name": "functions", "description": "", "tools": TOOLS}]

    checked = check_request(a_lite_turn(tools=wrapped), LITE, ADA)

    assert [(t["namespace"], t["name"]) for t in checked.tools] == [("functions", "get_weather")]


def test_additional_tools_without_the_lite_header_are_refused() -> None:
    body = {**a_lite_turn(), "model": "gpt-5.5", "reasoning": {}}

    assert refusal_of(body).body["error"]["param"] == "input[0].type"


def test_empty_tools_are_refused_for_models_with_reserved_tools_only() -> None:
    check_request(a_turn(tools=[]), {}, ADA)

    assert refusal_of(a_turn(model="gpt-6-sol", tools=[])).body["error"]["code"] == "empty_array"


def test_a_lite_model_may_insist_on_its_shape() -> None:
    refusal = refusal_of(a_turn(model="gpt-6-sol"), leniency=Leniency(classic_on_lite=False))

    assert refusal.body["error"]["message"] == "Model not found gpt-6-sol"


def test_a_turn_state_of_another_account_is_refused() -> None:
    mine, other = seal(ADA.workspace, "x"), seal(FREE.workspace, "x")
    check_request(a_turn(), {"x-codex-turn-state": mine}, ADA)

    refusal = refusal_of(a_turn(), {"x-codex-turn-state": other})

    assert refusal.code == "invalid_turn_state"


def test_foreign_seals_pass_when_a_test_says_so() -> None:
    reasoning = {"type": "reasoning", "summary": [], "encrypted_content": "recorded elsewhere"}
    body = a_turn(input=[reasoning, a_message("hi")])

    assert refusal_of(body).code == "invalid_encrypted_content"
    check_request(body, {}, ADA, Leniency(foreign_seals=True))
