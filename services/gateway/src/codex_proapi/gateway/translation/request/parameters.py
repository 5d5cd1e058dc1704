"""The parameters of a request beside history and tools: which are sent, refused or left out.

Upstream refuses every top-level key it does not know, so this is an allow-list: a key without a
rule is left out and named in a response header.
"""

import re
from collections.abc import Container
from typing import Any

from codex_proapi.commons.codex.model_catalogue import (
    EFFORTS,
    FAST_TIER,
    ULTRA,
    Model,
    Resolved,
)
from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.client_body import MOST_STOP_CHARACTERS, ClientBody
from codex_proapi.gateway.translation.dropped_parameters import Dropped

VERBOSITIES = frozenset({"low", "medium", "high"})
SUMMARIES = frozenset({"auto", "concise", "detailed"})

HANDLED = frozenset(
    {
        "model", "messages", "input", "instructions", "system", "tools", "functions",
        "tool_choice", "function_call", "parallel_tool_calls", "stream", "stream_options",
        "store", "include", "stop", "n", "reasoning", "reasoning_effort", "thinking",
        "thinking_budget", "reasoning_summary", "include_reasoning", "enable_thinking",
        "verbosity", "text", "response_format", "service_tier", "speed",
        "prompt_cache_key", "previous_response_id", "background", "modalities",
        "web_search_options", "reasoningSummary",
    }
)  # fmt: skip
"""Keys with a rule; all others are left out."""
READ = HANDLED | {"audio", "conversation", "prompt", "metadata", "client_metadata"}
"""Keys that are decoded in some dialect; the values of others are not."""
IMPOSSIBLE = frozenset({"n", "modalities", "background", "audio", "conversation", "prompt"})
"""Keys that `refuse_impossible` looks at."""
PARALLEL = frozenset({"parallel_tool_calls", "tool_choice"})
"""Keys that `parallel_of` looks at."""
TEXT = frozenset({"text", "verbosity", "response_format"})
"""Keys that `text_of` looks at."""
TIER = frozenset({"service_tier", "speed"})
"""Keys that `tier_of` and `asks_faster` look at."""
REASONING = frozenset(
    {
        "reasoning", "reasoning_effort", "reasoning_summary", "reasoningSummary", "include_reasoning",
        "thinking", "thinking_budget", "enable_thinking",
    }
)  # fmt: skip
"""Keys that may ask for an effort or a summary."""
RARE = IMPOSSIBLE | PARALLEL | TEXT | TIER | REASONING | {"function_call", "web_search_options"}
"""All of these, and what else is read with the tools: most bodies have none, or one or two."""

_BUDGETS = ((0, "none"), (512, "minimal"), (1024, "low"), (8192, "medium"), (24576, "high"))
"""Effort by thinking budget: (tokens up to and including, effort), as a widely used proxy maps them."""
_SPELLINGS = {"extra-high": "xhigh", "extra_high": "xhigh", "x-high": "xhigh", "off": "none"}
_SCHEMA_NAME = re.compile(r"[^A-Za-z0-9_-]", re.ASCII)
_SCHEMA_NAME_LIMIT = 64
MOST_STOPS = 16
"""Most strings of `stop`; OpenAI's API has 4, other APIs that chat clients know have more."""
STANDARD_TIERS = frozenset({"auto", "default", "standard"})
SLOWER_TIERS = frozenset({"flex"})


def refuse_impossible(body: ClientBody) -> None:
    """Raise BadRequest for a parameter that would change the answer if it were left out."""
    count = body.values.get("n")
    if count is not None and count != 1:
        raise BadRequest("Only one choice can be made", code="unsupported_value", param="n")
    modalities = body.values.get("modalities")
    if isinstance(modalities, list) and any(each != "text" for each in modalities):
        raise _unsupported("modalities")
    if body.values.get("background"):
        raise _unsupported("background")
    for name in ("audio", "conversation", "prompt"):
        if body.values.get(name):
            raise _unsupported(name)


def note_dropped(body: ClientBody, dropped: Dropped, *, echoed: Container[str] = ()) -> None:
    """Note the keys without a rule, and those whose rule leaves them out; not those `echoed`."""
    for name in body.names or body.values:
        if name not in HANDLED and name not in echoed:
            dropped.add(name)
    include = body.values.get("include")
    for wanted in include if isinstance(include, list) else ():
        if isinstance(wanted, str) and wanted != "reasoning.encrypted_content":
            dropped.add(f"include.{wanted}")


def reasoning_of(
    body: ClientBody, resolved: Resolved, *, default_effort: str | None, summary: str | None
) -> dict[str, Any]:
    """Return `reasoning`: the effort, and the summary if client, key, setting or catalogue wants one.

    The effort is the model name's, else the body's, the key's, the catalogue's.
    """
    model, asked, wanted = resolved.model, None, None
    if not REASONING.isdisjoint(body.values):
        asked = None if resolved.effort else _asked_effort(body)
        wanted = summary_of(body)
    reasoning: dict[str, Any] = {}
    if effort := resolved.effort or asked or default_effort or model.default_effort:
        usual = effort in model.efforts and effort != ULTRA
        reasoning["effort"] = effort if usual or effort not in EFFORTS else model.clamp(effort)
    wanted = wanted or summary or model.default_summary
    if wanted in SUMMARIES:
        reasoning["summary"] = wanted
    return reasoning


def text_of(body: ClientBody, model: Model, dropped: Dropped) -> dict[str, Any]:
    """Return `text`: verbosity and response format, from the fields of either API."""
    text: dict[str, Any] = {}
    nested = body.table("text")
    verbosity = body.values.get("verbosity") or nested.get("verbosity")
    if verbosity is not None:
        verbosity = verbosity.strip().lower() if isinstance(verbosity, str) else verbosity
        if not isinstance(verbosity, str) or verbosity not in VERBOSITIES:
            raise _one_of("verbosity", sorted(VERBOSITIES))
        if model.support_verbosity:
            text["verbosity"] = verbosity
        else:
            dropped.add("verbosity")
    for field, form in (
        ("response_format", body.values.get("response_format")),
        ("text.format", nested.get("format")),
    ):
        if form is not None and (wanted := _format(form, field)):
            text["format"] = wanted
            break
    return text


def tier_of(body: ClientBody, resolved: Resolved, dropped: Dropped) -> str | None:
    """Return the service tier, one that the model lists. Raises BadRequest for another tier's name."""
    wanted = body.values.get("service_tier")
    if wanted is None and body.values.get("speed") == "fast":
        wanted = "fast"
    tiers = resolved.model.service_tiers
    if wanted in ("fast", FAST_TIER):
        if FAST_TIER not in tiers:
            raise BadRequest(
                f"The model '{resolved.model.slug}' has no fast service tier",
                code="unsupported_value",
                param="service_tier",
            )
        return FAST_TIER
    if resolved.fast and FAST_TIER in tiers:
        return FAST_TIER
    if isinstance(wanted, str) and wanted in tiers:
        return wanted
    if wanted is not None and not (isinstance(wanted, str) and wanted in STANDARD_TIERS):
        dropped.add("service_tier")
    return None


def asks_faster(body: ClientBody) -> bool:
    """Return whether the body asks for a faster service than the standard one, offered or not."""
    tier = body.values.get("service_tier")
    named = isinstance(tier, str) and tier not in STANDARD_TIERS | SLOWER_TIERS
    return named or body.values.get("speed") == "fast"


def stops_of(body: ClientBody, *, most: int = MOST_STOPS) -> tuple[str, ...]:
    """Return the stop sequences, which are applied here because upstream has none.

    Empty ones stop nothing and are left out. Raises BadRequest for other than a string or up to
    `most` strings.
    """
    provided = body.values.get("stop")
    if provided is None:
        return ()
    listed = provided if isinstance(provided, list) else [provided]
    if len(listed) > most or not all(isinstance(each, str) for each in listed):
        raise BadRequest(f"'stop' must be a string or up to {most} strings", param="stop")
    if any(len(each) > MOST_STOP_CHARACTERS for each in listed):
        raise BadRequest(f"'stop' has more than {MOST_STOP_CHARACTERS} characters", param="stop")
    return tuple(filter(None, listed))


def wants_usage(body: ClientBody) -> bool:
    """Whether a stream must end with a usage chunk (`stream_options.include_usage`)."""
    options = body.values.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def parallel_of(body: ClientBody) -> bool | None:
    """Return whether the client wants parallel calls; None if it does not say."""
    if isinstance(wanted := body.values.get("parallel_tool_calls"), bool):
        return wanted
    choice = body.values.get("tool_choice")
    if isinstance(choice, dict) and choice.get("disable_parallel_tool_use") is True:
        return False
    return None


def _asked_effort(body: ClientBody) -> str | None:
    """Return the body's effort, from its name or a thinking budget; None for the defaults."""
    for field, word in (
        ("reasoning_effort", _effort_in(body.values.get("reasoning_effort"))),
        ("reasoning.effort", _reasoning(body).get("effort")),
    ):
        if word is not None and word not in ("auto", "default", ""):
            return _effort_word(word, field)
    if _reasoning(body).get("enabled") is False:
        return "none"
    thinking = body.values.get("thinking")
    if isinstance(thinking, dict):
        if thinking.get("type") == "disabled":
            return "none"
        return _effort_of_budget(thinking.get("budget_tokens"))
    if thinking is False or body.values.get("enable_thinking") is False:
        return "none"
    budget = _reasoning(body).get("max_tokens")
    return _effort_of_budget(body.values.get("thinking_budget") if budget is None else budget)


def _effort_in(field: Any) -> Any:
    """Return the effort in `reasoning_effort`, which some clients send as an object `reasoning`."""
    return field.get("effort") if isinstance(field, dict) else field


def summary_of(body: ClientBody) -> str | None:
    """Return the reasoning summary the client wants, from any of its spellings.

    `none` is no summary; None leaves it to key, setting and catalogue.
    """
    nested = body.values.get("reasoning_effort")
    for wish in (_reasoning(body), nested if isinstance(nested, dict) else {}):
        for name in ("summary", "generate_summary"):
            if wish.get(name) is not None:
                return _summary_word(wish[name])
    for name in ("reasoning_summary", "reasoningSummary"):  # the latter of the AI SDK's options
        if body.values.get(name) is not None:
            return _summary_word(body.values.get(name))
    if _reasoning(body).get("exclude") is True or body.values.get("include_reasoning") is False:
        return "none"
    thinking = body.values.get("thinking")
    switches = (
        body.values.get("include_reasoning"),
        _reasoning(body).get("enabled"),
        thinking if isinstance(thinking, bool) else None,
        body.values.get("enable_thinking"),
        _reasoning(body).get("exclude") is False or None,
    )
    if isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive", "auto"):
        return "auto"
    return "auto" if True in switches else None


def _summary_word(word: Any) -> str | None:
    """Return a kind of summary; true and false are understood, an unknown word is ignored."""
    if isinstance(word, bool):
        return "auto" if word else "none"
    if isinstance(word, str) and (word in SUMMARIES or word == "none"):
        return word
    return None


def _effort_word(word: Any, field: str) -> str:
    known = word.strip().lower() if isinstance(word, str) else ""
    known = _SPELLINGS.get(known, known)
    if known not in EFFORTS:
        raise _one_of(field, EFFORTS)
    return known


def _effort_of_budget(budget: Any) -> str | None:
    """Return the effort for a thinking budget in tokens; None for a negative one (the model's)."""
    if not isinstance(budget, int | float) or isinstance(budget, bool) or budget < 0:
        return None
    return next((effort for most, effort in _BUDGETS if budget <= most), "xhigh")


def _reasoning(body: ClientBody) -> dict[str, Any]:
    found = body.values.get("reasoning")
    return found if isinstance(found, dict) else {}


def _format(form: Any, field: str) -> dict[str, Any] | None:
    """Return `text.format`; chat nests a schema, Responses does not. None for plain text."""
    kind = form.get("type") if isinstance(form, dict) else None
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "json_object"}
    if kind != "json_schema":
        raise _one_of(f"{field}.type", ("text", "json_object", "json_schema"))
    nested = form.get("json_schema")
    found = nested if isinstance(nested, dict) else form
    if not isinstance(found.get("schema"), dict):
        raise BadRequest("A JSON schema is missing", param=f"{field}.json_schema.schema")
    name = found.get("name")
    wanted: dict[str, Any] = {
        "type": "json_schema",
        "name": _schema_name(name) if isinstance(name, str) else "response",
        "schema": found["schema"],
    }
    if isinstance(found.get("strict"), bool):
        wanted["strict"] = found["strict"]
    if isinstance(found.get("description"), str):
        wanted["description"] = found["description"]
    return wanted


def _schema_name(name: str) -> str:
    return _SCHEMA_NAME.sub("_", name)[:_SCHEMA_NAME_LIMIT] or "response"


def _unsupported(name: str) -> BadRequest:
    return BadRequest(f"'{name}' is not supported here", code="unsupported_parameter", param=name)


def _one_of(name: str, values: Any) -> BadRequest:
    return BadRequest(
        f"'{name}' must be one of {', '.join(values)}", code="unsupported_value", param=name
    )
