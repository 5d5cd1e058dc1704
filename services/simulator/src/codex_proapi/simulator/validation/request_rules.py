"""What the backend refuses about a request: parameters, model, shape. Items and tools have modules of their own."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from codex_proapi.simulator.state.accounts import SimulatedAccount
from codex_proapi.simulator.state.catalogue import MODELS, SimulatedModel, models_for, parse_version
from codex_proapi.simulator.state.leniency import STRICT, Leniency
from codex_proapi.simulator.state.refusals import REFUSALS, Circumstance, detail, invalid, refuse
from codex_proapi.simulator.state.seals import is_sealed_by
from codex_proapi.simulator.validation.items import ANYBODY, check_items
from codex_proapi.simulator.validation.tools import check_strict_schema, check_tools
from codex_proapi.simulator.validation.values import (
    Refused,
    check_length,
    check_name,
    refuse_missing,
    refuse_type,
    refuse_unknown_keys,
    refuse_value,
)

PARAMETERS = {
    *("model", "stream", "service_tier", "input", "tools", "tool_choice", "parallel_tool_calls"),
    *("reasoning", "store", "include", "prompt_cache_key", "text", "client_metadata"),
    "instructions",
}
LITE_HEADER = "x-openai-internal-codex-responses-lite"
_TIERS = ("priority", "flex", "ultrafast")
_CHOICES = ("auto", "none", "required")
_SUMMARIES = ("auto", "concise", "detailed", "none")
_VERBOSITIES = ("low", "medium", "high")
_CACHE_KEY_LENGTH = 64


class CheckedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that breaks no rule."""

    body: dict[str, Any]
    """As it came."""
    model: SimulatedModel
    """What it asks for."""
    tools: list[dict[str, Any]]
    """Function and custom tools, out of their namespaces (each with `namespace`)."""
    lite: bool
    """Whether it has the Responses-Lite shape."""


def check_request(
    body: Any,
    headers: Mapping[str, str],
    account: SimulatedAccount,
    leniency: Leniency = STRICT,
) -> CheckedRequest:
    """The request, checked; raises Refused with what the real backend answers."""
    if not isinstance(body, dict):
        raise Refused(detail("Input should be a valid dictionary"))
    lite = headers.get(LITE_HEADER, "").lower() == "true"
    _check_parameters(body)
    model = _check_model(body, headers, account, lite=lite)
    if not model.lite and lite:
        refuse_value(
            f"Responses-Lite is not supported with the '{model.slug}' model.",
            "model",
            "unsupported_value",
        )
    if model.lite and not lite and not leniency.classic_on_lite:
        raise Refused(refuse("model_not_found", Circumstance(model=model.slug)))
    tools = _check_shape(body, model, lite=lite)
    tools += _loaded_tools(body["input"], lite=lite)
    _check_choice(body, tools, lite=lite)
    workspace = ANYBODY if leniency.foreign_seals else account.workspace
    check_items(body["input"], workspace=workspace, lite=lite)
    _check_reasoning(body, model, lite=lite)
    _check_text(body)
    _check_turn_state(headers, account)
    return CheckedRequest(body=body, model=model, tools=tools, lite=lite)


def _check_parameters(body: dict[str, Any]) -> None:
    for name in body:
        if name not in PARAMETERS:
            raise Refused(detail(f"Unsupported parameter: {name}"))
    if body.get("store") is not False:
        raise Refused(detail("Store must be set to false"))
    if body.get("stream") is not True:
        raise Refused(detail("Stream must be set to true"))
    if "instructions" in body and not isinstance(body["instructions"], str):
        refuse_type("instructions", "a string", body["instructions"])
    if not isinstance(body.get("input"), list):
        raise Refused(detail("Input must be a list"))
    if not body["input"]:
        refuse_value(
            "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be "
            "provided.",
            "input",
            "missing_required_parameter",
        )
    _check_labels(body)


def _check_labels(body: dict[str, Any]) -> None:
    tier = body.get("service_tier", "priority")
    if tier not in _TIERS:
        raise Refused(detail(f"Unsupported service_tier: {tier}"))
    include = body.get("include", [])
    if not isinstance(include, list):
        refuse_type("include", "an array", include)
    for index, wanted in enumerate(include):
        if wanted != "reasoning.encrypted_content":
            refuse_value(
                f"Invalid value: {wanted!r}. Supported values are: 'reasoning.encrypted_content'.",
                f"include[{index}]",
            )
    key = body.get("prompt_cache_key", "")
    if not isinstance(key, str):
        refuse_type("prompt_cache_key", "a string", key)
    check_length(key, param="prompt_cache_key", limit=_CACHE_KEY_LENGTH)
    metadata = body.get("client_metadata", {})
    if not isinstance(metadata, dict):
        refuse_type("client_metadata", "an object", metadata)
    for name, value in metadata.items():
        if not isinstance(value, str):
            refuse_type(f"client_metadata.{name}", "a string", value)


def _check_model(
    body: dict[str, Any], headers: Mapping[str, str], account: SimulatedAccount, *, lite: bool
) -> SimulatedModel:
    slug = body.get("model")
    if slug is None:
        refuse_missing("model")
    if not isinstance(slug, str):
        refuse_type("model", "a string", slug)
    if slug == "gpt-reserve" and account.reserve_used is not None:
        slug = account.reserve_model
    at = Circumstance(model=slug)
    model = next((known for known in MODELS if known.slug == slug), None)
    if model is None or model not in models_for(account.plan, only=account.models):
        raise Refused(refuse("unsupported_model", at))
    version = parse_version(_client_version(headers))
    if version is not None and version < (parse_version(model.minimal_client_version) or ()):
        raise Refused(refuse("newer_version_required", at))
    known_client = headers.get("originator", "").startswith("codex") and version is not None
    if slug.endswith("-luna") and not lite and not (known_client and headers.get("session-id")):
        raise Refused(refuse("model_not_found", at))
    return model


def _client_version(headers: Mapping[str, str]) -> str:
    if headers.get("version"):
        return headers["version"]
    found = re.match(r"codex[\w-]*/(\d[\w.]*)", headers.get("user-agent", ""))
    return found.group(1) if found else ""


def _check_shape(
    body: dict[str, Any], model: SimulatedModel, *, lite: bool
) -> list[dict[str, Any]]:
    reserved = model.multi_agent == "v2"
    if not lite:
        if "tools" not in body:
            return []
        return check_tools(body["tools"], where="tools", lite=False, reserved=reserved)
    if "tools" in body:
        refuse_value("Invalid value: 'tools' must be sent as an 'additional_tools' item.", "tools")
    if body.get("parallel_tool_calls", False) is not False:
        refuse_value(
            "Unsupported value: 'parallel_tool_calls' must be false for this request.",
            "parallel_tool_calls",
            "unsupported_value",
        )
    first = body["input"][0]
    if not isinstance(first, dict) or first.get("type") != "additional_tools":
        return []
    if first.get("role") != "developer":
        refuse_value("Invalid value: 'additional_tools' needs role 'developer'.", "input[0].role")
    return check_tools(first.get("tools"), where="input[0].tools", lite=True, reserved=reserved)


def _loaded_tools(items: list[Any], *, lite: bool) -> list[dict[str, Any]]:
    """The tools in results of tool searches."""
    loaded: list[dict[str, Any]] = []
    for index, item in enumerate(items):
        if (
            isinstance(item, dict)
            and item.get("type") == "tool_search_output"
            and item.get("tools")
        ):
            where = f"input[{index}].tools"
            loaded += check_tools(item["tools"], where=where, lite=lite, reserved=False)
    return loaded


def _check_choice(body: dict[str, Any], tools: list[dict[str, Any]], *, lite: bool) -> None:
    offered = bool(tools or body.get("tools"))
    parallel = body.get("parallel_tool_calls", False)
    if not isinstance(parallel, bool):
        refuse_type("parallel_tool_calls", "a boolean", parallel)
    if parallel and not offered:
        refuse_value(
            "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when "
            "'tools' are specified.",
            "parallel_tool_calls",
        )
    choice = body.get("tool_choice", "auto")
    if lite and choice != "auto":
        refuse_value(
            "Unsupported value: 'tool_choice' must be 'auto' for this request.",
            "tool_choice",
            "unsupported_value",
        )
    if isinstance(choice, str):
        if choice not in _CHOICES:
            refuse_value(
                f"Invalid value: '{choice}'. Supported values are: 'none', 'auto', and 'required'.",
                "tool_choice",
            )
        if choice == "required" and not offered:
            refuse_value(
                "Tool choice 'required' must be specified with 'tools' parameter.", "tool_choice"
            )
        return
    if not isinstance(choice, dict):
        refuse_type("tool_choice", "one of a string or object", choice)
    _check_named_choice(choice, body, tools)


def _check_named_choice(
    choice: dict[str, Any], body: dict[str, Any], tools: list[dict[str, Any]]
) -> None:
    match choice.get("type"):
        case "function" | "custom" as kind:
            refuse_unknown_keys(choice, {"type", "name"}, where="tool_choice")
            check_name(choice.get("name"), where="tool_choice")
            if not any(t["type"] == kind and t["name"] == choice["name"] for t in tools):
                refuse_value(
                    f"Tool choice '{choice['name']}' not found in 'tools' parameter.",
                    "tool_choice",
                )
        case "allowed_tools":
            refuse_unknown_keys(choice, {"type", "mode", "tools"}, where="tool_choice")
            if choice.get("mode") not in ("auto", "required"):
                refuse_value("Invalid value.", "tool_choice.mode")
            for entry in choice.get("tools") or []:
                if not any(tool["name"] == entry.get("name") for tool in tools):
                    refuse_value("Allowed tool not found in 'tools'.", "tool_choice.tools")
        case "web_search" | "image_generation" as kind:
            if not any(tool.get("type") == kind for tool in body.get("tools") or []):
                raise Refused(REFUSALS["bad_gateway"](Circumstance()))
        case other:
            refuse_value(f"Invalid value: {other!r}.", "tool_choice.type")


def _check_reasoning(body: dict[str, Any], model: SimulatedModel, *, lite: bool) -> None:
    reasoning = body.get("reasoning", {})
    if not isinstance(reasoning, dict):
        refuse_type("reasoning", "an object", reasoning)
    if lite and reasoning.get("context") != "all_turns":
        raise Refused(REFUSALS["unsupported_value"](Circumstance()))
    refuse_unknown_keys(reasoning, {"effort", "summary", "context"}, where="reasoning")
    effort = reasoning.get("effort", model.default_effort)
    numeric = isinstance(effort, int | float) and not isinstance(effort, bool)
    if not numeric and effort not in model.wire_efforts:
        supported = ", ".join(f"'{level}'" for level in model.wire_efforts)
        refuse_value(
            f"Unsupported value: {effort!r} is not supported with the '{model.slug}' model. "
            f"Supported values are: {supported}.",
            "reasoning.effort",
            "unsupported_value",
        )
    if reasoning.get("summary", "auto") not in _SUMMARIES:
        refuse_value(
            f"Invalid value: {reasoning['summary']!r}. "
            "Supported values are: 'concise', 'detailed', and 'auto'.",
            "reasoning.summary",
        )


def _check_text(body: dict[str, Any]) -> None:
    text = body.get("text", {})
    if not isinstance(text, dict):
        refuse_type("text", "an object", text)
    refuse_unknown_keys(text, {"verbosity", "format"}, where="text")
    if text.get("verbosity", "low") not in _VERBOSITIES:
        refuse_value(
            f"Invalid value: {text['verbosity']!r}. "
            "Supported values are: 'low', 'medium', and 'high'.",
            "text.verbosity",
        )
    form = text.get("format", {"type": "text"})
    if not isinstance(form, dict):
        refuse_type("text.format", "an object", form)
    match form.get("type"):
        case "text":
            pass
        case "json_object":
            _check_says_json(body)
        case "json_schema":
            _check_schema_format(form)
        case other:
            refuse_value(
                f"Invalid value: {other!r}. "
                "Supported values are: 'json_object', 'json_schema', and 'text'.",
                "text.format.type",
            )


def _check_schema_format(form: dict[str, Any]) -> None:
    known = {"type", "name", "schema", "strict", "description"}
    refuse_unknown_keys(form, known, where="text.format")
    check_name(form.get("name"), where="text.format")
    schema = form.get("schema")
    if schema is None:
        param = "text.format.schema"
        refuse_missing(param)
    if not isinstance(schema, dict):
        refuse_type("text.format.schema", "an object", schema)
    if form.get("strict"):
        check_strict_schema(
            schema,
            where="text.format.schema",
            subject=f"response_format '{form['name']}'",
            code="invalid_json_schema",
        )


def _check_says_json(body: dict[str, Any]) -> None:
    said = msgspec.json.encode([item for item in body["input"] if "role" in item])
    if b"json" not in said.lower():
        raise Refused(
            invalid(
                "Response input messages must contain the word 'json' in some form to use "
                "'text.format' of type 'json_object'.",
                param="input",
            )
        )


def _check_turn_state(headers: Mapping[str, str], account: SimulatedAccount) -> None:
    state = headers.get("x-codex-turn-state")
    if state and not is_sealed_by(account.workspace, state):
        raise Refused(invalid("Invalid turn state.", code="invalid_turn_state"))
