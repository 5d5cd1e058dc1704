"""Request bodies for property tests: likely ones with every known flaw, and any objects at all."""

from typing import Any

from hypothesis import strategies as st
from support.askings import PIXEL

_texts = st.text(max_size=12) | st.sampled_from(["hi", "c1", "c2", "read", "a" * 70, "gpt-5.5"])
_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _texts
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
_part = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "input_text", "output_text", "refusal", "thinking", "odd"])},
    optional={"text": _texts, "refusal": _texts},
) | st.fixed_dictionaries(
    {
        "type": st.sampled_from(["tool_use", "tool_result"]),
        "id": _texts,
        "tool_use_id": _texts,
        "name": _texts,
        "input": _values,
        "content": _texts,
    }
)
_image = st.fixed_dictionaries(
    {"type": st.just("image_url"), "image_url": st.just({"url": PIXEL, "detail": "low"})}
)
_content = st.none() | _texts | st.lists(_part | _image | _texts, max_size=3)
_calls = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.none() | _texts,
            "function": st.fixed_dictionaries({"name": _texts, "arguments": _values}),
        }
    ),
    max_size=3,
)
_message = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool", "function", "developer"])},
    optional={
        "content": _content,
        "tool_calls": st.none() | _calls,
        "tool_call_id": _texts,
        "name": _texts,
    },
)
_item = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [
                "function_call",
                "custom_tool_call",
                "function_call_output",
                "custom_tool_call_output",
                "reasoning",
                "compaction",
                "compaction_trigger",
                "web_search_call",
                "message",
            ]
        )
    },
    optional={
        "id": _texts,
        "role": st.just("user"),
        "content": _content,
        "call_id": _texts,
        "name": _texts,
        "arguments": _values,
        "input": _texts,
        "output": _texts | st.lists(_part | _image, max_size=2) | _values,
        "summary": _values,
        "encrypted_content": _texts,
        "status": _texts,
        "namespace": _texts,
    },
)
_schema: st.SearchStrategy[Any] = (
    st.none() | st.just({}) | st.just({"type": "object", "properties": {}, "$schema": "x"})
)
_tool = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.just("function"),
            "function": st.fixed_dictionaries({"name": _texts, "parameters": _schema}),
        }
    ),
    st.fixed_dictionaries({"type": st.sampled_from(["custom", "function"]), "name": _texts}),
    st.fixed_dictionaries({"name": _texts, "input_schema": _schema}),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["web_search_preview", "mcp", "image_generation"])}
    ),
)
_choice = st.sampled_from(["auto", "none", "required"]) | st.fixed_dictionaries(
    {"type": st.sampled_from(["function", "custom", "tool", "allowed_tools"]), "name": _texts}
)
LIKELY_BODIES = st.fixed_dictionaries(
    {"model": st.sampled_from(["gpt-5.5", "gpt-6.1-sol", "codex-high", "gpt-5.6-luna-fast"])},
    optional={
        "messages": st.lists(_message, min_size=1, max_size=6),
        "input": st.lists(_message | _item, max_size=6) | _texts,
        "tools": st.lists(_tool, max_size=3),
        "tool_choice": st.none() | _choice,
        "parallel_tool_calls": st.none() | st.booleans(),
        "reasoning_effort": st.sampled_from(["low", "minimal", "ultra", None, "auto"]),
        "instructions": st.none() | _texts,
        "verbosity": st.sampled_from([None, "low"]),
        "prompt_cache_key": st.none() | st.text(max_size=80),
        "stream": st.booleans(),
        "anything": _values,
    },
)
ENDPOINTS = st.sampled_from(["chat", "responses", "compact"])
_TOP_LEVEL = (
    *("model", "messages", "input", "tools", "functions", "tool_choice", "text", "stream"),
    *("reasoning", "response_format", "instructions", "system", "n", "include", "stop"),
)
ANY_OBJECTS = st.dictionaries(
    st.sampled_from(_TOP_LEVEL),
    _values | st.just("gpt-5.5") | st.lists(_message | _item, max_size=2),
)
"""Objects with known names and any values."""
