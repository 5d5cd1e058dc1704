"""Fields of a response object that this version does not know: the backend may have changed. Pure."""

from typing import Final

from msgspec import Raw

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, read_any, reader
from codex_proapi.gateway.translation.stream.token_usage import PlainUsage

RESPONSE_FIELDS: Final = frozenset(
    (
        *("id", "object", "created_at", "completed_at", "status", "background", "billing"),
        *("content_filters", "conversation", "error", "frequency_penalty", "incomplete_details"),
        *("instructions", "max_output_tokens", "max_tool_calls", "metadata", "model", "moderation"),
        *("output", "output_text", "parallel_tool_calls", "presence_penalty", "prompt"),
        *("previous_response_id", "prompt_cache_key", "prompt_cache_retention", "reasoning"),
        *("safety_identifier", "service_tier", "store", "temperature", "text", "tool_choice"),
        *("tools", "tool_usage", "top_logprobs", "top_p", "truncation", "usage", "user"),
        *("context_management", "end_turn", "headers"),
    )
)
"""Fields of a response, as the public schema of November 2026 and captured answers have them."""
USAGE_FIELDS: Final = frozenset(PlainUsage.__struct_fields__)
MOST_FIELDS: Final = 32
"""Most unknown fields that one answer names."""

_read: Final = reader(dict[str, Raw])


def unknown_fields(response: bytes | Raw) -> list[str]:
    """Names of the fields of a response object, and of its usage as `usage.…`, that are not known."""
    try:
        fields = _read(response or b"{}")
        usage = read_any(fields["usage"]) if "usage" in fields else None
    except DECODE_ERRORS:
        return []
    found = sorted(fields.keys() - RESPONSE_FIELDS)
    if isinstance(usage, dict):
        found += [f"usage.{name}" for name in sorted(set(usage) - USAGE_FIELDS)]
    return found[:MOST_FIELDS]
