"""The body of a Messages request: names of its fields, and decoders of common ones.

Claude Code adds fields with every release, and does not repeat a request that was refused for an
unknown one: nothing unknown is refused here (Anthropic's gateway guide, 2026).
"""

from typing import Any, Final

import msgspec

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.client_body import MOST_STOP_CHARACTERS, ClientBody

HANDLED: Final = frozenset(
    {
        "model", "messages", "system", "tools", "tool_choice", "thinking", "output_config",
        "output_format", "stop_sequences", "stream", "metadata", "safeguards", "speed",
        "service_tier", "max_tokens",
    }
)  # fmt: skip
"""Fields with a rule; all others are left out."""
CLIENT_NOTES: Final = frozenset(
    {
        "context_management", "container", "mcp_servers", "inference_geo", "betas", "fallbacks",
        "diagnostics", "cache_control", "tags",
    }
)  # fmt: skip
"""Fields without effect on an answer here, which are left out without notice."""
MOST_STOPS: Final = 16
"""Most strings of `stop_sequences`."""
_OBJECTS: Final = frozenset({dict})
_SESSION_MARK: Final = "_session_"
"""Precedes the session's id in the older form of `metadata.user_id`."""


def message_list(body: ClientBody) -> list[dict[str, Any]]:
    """Return `messages`. Raises BadRequest if it is missing or not a list of objects."""
    messages = body.values.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequest(
            "'messages' must be a list with at least one message",
            code="missing_required_parameter",
            param="messages",
        )
    if not _OBJECTS.issuperset(map(type, messages)):
        first = next(index for index, entry in enumerate(messages) if not isinstance(entry, dict))
        raise BadRequest("A message must be an object", param=f"messages.{first}")
    return messages


def system_texts(body: ClientBody) -> list[str]:
    """Return the texts of `system`, a string or text blocks. Raises BadRequest for anything else."""
    system = body.values.get("system")
    if system is None:
        return []
    if isinstance(system, str):
        return [system]
    if not isinstance(system, list):
        raise BadRequest("'system' must be a string or a list of text blocks", param="system")
    return [_system_text(block, f"system.{index}") for index, block in enumerate(system)]


def stop_sequences(body: ClientBody) -> tuple[str, ...]:
    """Return the stop sequences. Raises BadRequest for anything but up to `MOST_STOPS` strings."""
    listed = body.values.get("stop_sequences")
    if listed is None:
        return ()
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise BadRequest("'stop_sequences' must be a list of strings", param="stop_sequences")
    if len(listed) > MOST_STOPS:
        raise BadRequest(
            f"'stop_sequences' has more than {MOST_STOPS} strings", param="stop_sequences"
        )
    if any(len(each) > MOST_STOP_CHARACTERS for each in listed):
        raise BadRequest(
            f"'stop_sequences' has one of more than {MOST_STOP_CHARACTERS} characters",
            param="stop_sequences",
        )
    return tuple(filter(None, listed))


def session_of(body: ClientBody) -> str | None:
    """Return the session's id in `metadata.user_id`: JSON now, `user_…_session_<uuid>` before."""
    metadata = body.values.get("metadata")
    user_id = metadata.get("user_id") if isinstance(metadata, dict) else None
    if not isinstance(user_id, str):
        return None
    if user_id.startswith("{"):
        try:
            found = msgspec.json.decode(user_id)
        except (msgspec.DecodeError, RecursionError):
            return None
        session = found.get("session_id") if isinstance(found, dict) else None
        return session if isinstance(session, str) and session else None
    return user_id.rpartition(_SESSION_MARK)[2] or None if _SESSION_MARK in user_id else None


def safeguard_types(body: ClientBody) -> tuple[str, ...]:
    """Return the types of the requested safeguards; entries that cannot be read are skipped."""
    listed = body.values.get("safeguards")
    return tuple(
        each["type"]
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict) and isinstance(each.get("type"), str)
    )


def _system_text(block: Any, where: str) -> str:
    if isinstance(block, str):
        return block
    text = block.get("text") if isinstance(block, dict) else None
    if not isinstance(text, str):
        raise BadRequest("A system block must be a text block", param=where)
    return text
