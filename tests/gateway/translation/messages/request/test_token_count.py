"""Estimates of a body's tokens."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from codex_proapi.gateway.formats.client_body import decode_body
from codex_proapi.gateway.translation.messages.request.token_count import count_tokens


def count(**body: Any) -> int:
    return count_tokens(decode_body(body))


def said(*parts: Any) -> int:
    return count(messages=[{"role": "user", "content": list(parts)}])


def test_text_counts_by_its_bytes() -> None:
    assert count(messages=[{"role": "user", "content": "a" * 4000}]) == 1004
    assert count(messages=[{"role": "user", "content": "漢" * 4000}]) == 3004
    assert count(system="a" * 400, messages=[]) == 100


def test_calls_results_and_tools_count() -> None:
    empty = said()
    call = {"type": "tool_use", "id": "x" * 999, "name": "Bash", "input": {"command": "a" * 400}}
    result = {"type": "tool_result", "tool_use_id": "x" * 999, "content": [{"text": "a" * 400}]}
    tool = {"name": "A", "description": "a" * 400, "input_schema": {"a": "b" * 400}, "cache": "c"}

    assert 100 <= said(call) - empty <= 105
    assert said(result) - empty == 100
    assert 200 <= count(messages=[], tools=[tool]) <= 215


def test_pictures_are_flat_and_files_count_by_size() -> None:
    data = "a" * 300_000
    picture = {"type": "image", "source": {"type": "base64", "data": data}}
    file = {"type": "document", "source": {"type": "base64", "data": data}}

    assert 1000 <= said(picture) <= 1010
    assert said({"type": "tool_result", "content": [picture]}) == said(picture)
    assert 10_000 <= said(file) <= 10_010


def test_of_thinking_only_the_signature_counts() -> None:
    thinking = {"type": "thinking", "thinking": "a" * 9999, "signature": "s" * 800}

    assert said(thinking) - said() == 100


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_body_has_a_count(value: Any) -> None:
    assert count(messages=value, system=value) >= 1
