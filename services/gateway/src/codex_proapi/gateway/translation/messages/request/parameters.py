"""The parameters of a Messages request beside history and tools."""

import re
from typing import Any, Final

import msgspec

from codex_proapi.commons.codex.model_catalogue import EFFORTS, FAST_TIER, Resolved
from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.anthropic.request import CLIENT_NOTES, HANDLED, system_texts
from codex_proapi.gateway.formats.client_body import ClientBody
from codex_proapi.gateway.translation.dropped_parameters import Dropped

BILLING_HEADER: Final = "x-anthropic-billing-header:"
"""Prefix of the block in Claude Code's system prompt that changes with version and agent."""
COMPACTION_WORDS: Final = "CRITICAL: Respond with TEXT ONLY"
"""Beginning of Claude Code's request for a summary of a conversation (seen with 2.1.332)."""
BUDGETS: Final = ((1024, "low"), (8192, "medium"), (24576, "high"))
"""Effort by thinking budget: (tokens up to and including, effort); more is `xhigh`."""
LEAST: Final = "none"
LITTLE: Final = "low"
"""Highest effort of summaries and other background work."""
_NAME: Final = re.compile(r"[^A-Za-z0-9_-]", re.ASCII)
_NAME_LIMIT: Final = 64


PLAIN: Final = frozenset(
    {"model", "messages", "system", "tools", "stream", "max_tokens", "metadata"}
)
"""Fields that no function here reads but `instructions_of`: many requests have only such."""


class Thinking(msgspec.Struct, frozen=True, kw_only=True):
    """The field `thinking`, decoded."""

    wanted: bool = False
    """Whether thinking blocks are part of the answer."""
    summaries: bool = True
    """Whether they have text; false for `display: omitted`."""
    effort: str | None = None
    """The effort of its budget; `LEAST` for `disabled`."""


NO_THINKING: Final = Thinking()


def read_thinking(body: ClientBody) -> Thinking:
    """Decode `thinking`; a value that cannot be read counts as absent."""
    thinking = body.values.get("thinking")
    if not isinstance(thinking, dict):
        return NO_THINKING
    kind = thinking.get("type")
    if kind == "disabled":
        return Thinking(effort=LEAST)
    if kind not in ("enabled", "adaptive", "auto"):
        return NO_THINKING
    return Thinking(
        wanted=True,
        summaries=thinking.get("display") != "omitted",
        effort=_effort_of_budget(thinking.get("budget_tokens")),
    )


def reasoning_of(
    body: ClientBody, resolved: Resolved, thinking: Thinking, *, default: str | None, brief: bool
) -> dict[str, Any]:
    """Return `reasoning`. The effort is the model name's, else the body's, the key's, the catalogue's.

    With `brief` it is `LITTLE` at most: for background work.
    """
    reasoning: dict[str, Any] = {}
    model = resolved.model
    config = body.values.get("output_config")
    asked = config.get("effort") if isinstance(config, dict) else None
    named = resolved.effort or (asked if asked in EFFORTS else None)
    effort = named or thinking.effort or default or model.default_effort
    if effort in EFFORTS:
        quick = brief and EFFORTS.index(effort) > EFFORTS.index(LITTLE)
        effort = model.clamp(LITTLE if quick else effort)
    if effort is not None:
        reasoning["effort"] = effort
    if thinking.wanted and thinking.summaries:
        reasoning["summary"] = "auto"
    return reasoning


def text_of(body: ClientBody) -> dict[str, Any]:
    """Return `text` with the response format, if a schema is given.

    Raises BadRequest for a format of another type: the answer would be other than asked for.
    """
    config = body.values.get("output_config")
    form = config.get("format") if isinstance(config, dict) else None
    field = "output_format" if form is None else "output_config.format"
    form = body.values.get("output_format") if form is None else form
    if form is None:
        return {}
    if not isinstance(form, dict) or form.get("type") != "json_schema":
        raise BadRequest(
            f"The type of '{field}' must be json_schema",
            code="unsupported_value",
            param=f"{field}.type" if isinstance(form, dict) else field,
        )
    schema = form.get("schema")
    if not isinstance(schema, dict):
        raise BadRequest("A JSON schema is missing", param=f"{field}.schema")
    name = form.get("name")
    named = _NAME.sub("_", name)[:_NAME_LIMIT] if isinstance(name, str) and name else "response"
    strict = _is_strict(schema)
    return {"format": {"type": "json_schema", "name": named, "schema": schema, "strict": strict}}


def tier_of(body: ClientBody, resolved: Resolved, dropped: Dropped) -> str | None:
    """Return the service tier: `priority` for a fast request, if the model has it."""
    fast = body.values.get("speed") == "fast" or resolved.fast
    if not fast:
        return None
    if FAST_TIER in resolved.model.service_tiers:
        return FAST_TIER
    dropped.add("speed")
    return None


def parallel_of(body: ClientBody) -> bool | None:
    """Return whether the client wants parallel calls; None if it does not say."""
    choice = body.values.get("tool_choice")
    disabled = isinstance(choice, dict) and choice.get("disable_parallel_tool_use") is True
    return False if disabled else None


def note_dropped(body: ClientBody, dropped: Dropped) -> None:
    """Note the fields that are accepted and left out and that matter to a client."""
    for name in body.values:
        if name not in HANDLED and name not in CLIENT_NOTES:
            dropped.add(name)


def instructions_of(body: ClientBody) -> tuple[str, bool]:
    """Return the system prompt, and whether it is Claude Code's.

    Its billing block is left out: it changes with version and agent, and everything after it would
    miss the prompt cache.
    """
    kept: list[str] = []
    billed = False
    for text in system_texts(body):
        kept_text = text
        if text.startswith(BILLING_HEADER):
            billed = True
            kept_text = text.partition("\n")[2].lstrip("\n")
        if kept_text:
            kept.append(kept_text)
    return "\n\n".join(kept), billed


def asks_for_summary(messages: list[dict[str, Any]]) -> bool:
    """Whether the last message is Claude Code's request for a summary of the conversation."""
    last = messages[-1]
    if last.get("role") != "user":
        return False
    content = last.get("content")
    if isinstance(content, str):
        return content.startswith(COMPACTION_WORDS)
    texts = [
        part["text"]
        for part in (content if isinstance(content, list) else ())
        if isinstance(part, dict) and isinstance(part.get("text"), str)
    ]
    return bool(texts) and texts[-1].startswith(COMPACTION_WORDS)


def _effort_of_budget(budget: Any) -> str | None:
    if not isinstance(budget, int | float) or isinstance(budget, bool) or budget <= 0:
        return None
    return next((effort for most, effort in BUDGETS if budget <= most), "xhigh")


def _is_strict(schema: Any) -> bool:
    """Whether upstream accepts a schema as strict: closed objects, every property required."""
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    if properties is not None or schema.get("type") == "object":
        required = schema.get("required")
        named = set(required) if isinstance(required, list) and _is_names(required) else set()
        closed = schema.get("additionalProperties") is False
        if not closed or not isinstance(properties, dict) or named != properties.keys():
            return False
        if not all(map(_is_strict, properties.values())):
            return False
    inner = [schema.get(word) for word in ("items", "anyOf", "allOf", "oneOf") if word in schema]
    defined = [
        schema[word] for word in ("$defs", "definitions") if isinstance(schema.get(word), dict)
    ]
    return all(map(_is_strict, inner)) and all(
        _is_strict(each) for group in defined for each in group.values()
    )


def _is_names(names: list[Any]) -> bool:
    return all(isinstance(name, str) for name in names)
