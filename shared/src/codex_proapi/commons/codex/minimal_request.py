"""The smallest request the backend takes, in either of its two shapes."""

from typing import Any

ENCRYPTED_REASONING = "reasoning.encrypted_content"
"""The only `include` the CLI asks for, and the only one known to be taken."""
LITE_CONTEXT = "all_turns"
"""`reasoning.context` of the lite shape; a lite request without it is refused (seen 2026-07)."""
LITE_HEADER = "x-openai-internal-codex-responses-lite"
"""Says `true` with a request in the lite shape."""


def minimal_request(model: str, text: str, *, session_id: str, lite: bool) -> dict[str, Any]:
    """The body that asks a model to answer one line of text.

    Args:
        model: The name the backend lists.
        text: What the user says.
        session_id: UUID of the conversation, also its key in the prompt cache.
        lite: Whether the model wants the lite shape (`use_responses_lite` of its list).
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
