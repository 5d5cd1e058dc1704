"""The smallest request body the backend accepts, in its normal and its lite form."""

from typing import Any

ENCRYPTED_REASONING = "reasoning.encrypted_content"
"""The only `include` value the CLI sends, and the only one known to be accepted."""
LITE_CONTEXT = "all_turns"
"""`reasoning.context` of the lite shape; a lite request without it is refused (seen 2026-07)."""
LITE_HEADER = "x-openai-internal-codex-responses-lite"
"""Says `true` with a request in the lite shape."""
BETA_HEADER = "openai-beta"
BETA = "responses_websockets=2026-02-06"
"""What the Codex CLI 0.171 sends with a WebSocket's handshake, and only there."""
LITE_KEY = "ws_request_header_x_openai_internal_codex_responses_lite"
"""Stands in a frame's `client_metadata` in place of the header of a POST."""


def minimal_request(model: str, text: str, *, session_id: str, lite: bool) -> dict[str, Any]:
    """The body that asks a model to answer one line of text.

    Args:
        model: The name the backend lists.
        text: The user's message.
        session_id: UUID of the conversation, also its key in the prompt cache.
        lite: Whether the model needs the lite form (`use_responses_lite` in the backend's list).
    """
    content = [{"type": "input_text", "text": text}]
    body: dict[str, Any] = {
        "model": model,
        "stream": True,
        "input": [{"type": "message", "role": "user", "content": content}],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low"},
        "store": False,
        "include": [ENCRYPTED_REASONING],
        "prompt_cache_key": session_id,
    }
    if lite:
        body["reasoning"]["context"] = LITE_CONTEXT
    else:
        body["instructions"] = ""
    return body
