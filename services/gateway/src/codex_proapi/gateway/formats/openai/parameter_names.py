"""Names of parameters that may be labels of a metric."""

from typing import Final

KNOWN: Final = frozenset(
    {
        "audio", "cache_control", "context_management", "enable_thinking", "extra_body",
        "extra_headers", "frequency_penalty", "generation_config", "image.detail",
        "input.reasoning", "logit_bias", "logprobs", "max_completion_tokens", "max_output_tokens",
        "max_tokens", "max_tool_calls", "metadata", "min_p", "moderation", "prediction",
        "presence_penalty", "previous_response_id", "prompt_cache_retention", "provider",
        "repetition_penalty", "safety_identifier", "seed", "service_tier", "temperature", "top_k",
        "top_logprobs", "top_p", "truncation", "user", "verbosity", "web_search_options",
    }
)  # fmt: skip
"""Parameters of OpenAI's APIs and of known clients."""
FAMILIES: Final = frozenset({"assistant", "content", "include", "tools"})
"""Parameters whose nested fields are counted together."""
OTHER: Final = "other"


def counted_as(name: str) -> str:
    """The name of a parameter from a closed set; never a client's own text."""
    if name in KNOWN:
        return name
    family = name.partition(".")[0]
    return family if family in FAMILIES else OTHER
