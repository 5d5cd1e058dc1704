"""Upstream's usage as tokens."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import upstream_says as says

from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.translation.stream import token_usage
from codex_proapi.gateway.translation.stream.token_usage import tokens_of


def of(response: Any) -> Tokens | None:
    return tokens_of(json.dumps(response).encode())


def test_every_kind_of_token_is_counted() -> None:
    assert of({"usage": says.USAGE}) == Tokens(
        input=100, cached=80, cache_write=8, output=20, reasoning=5
    )


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"input_tokens": 3}, Tokens(input=3)),
        ({"input_tokens": 3.0, "output_tokens": -1}, Tokens(input=3)),
        ({"input_tokens": None, "output_tokens": True, "input_tokens_details": None}, Tokens()),
        ({"input_tokens": "3", "output_tokens_details": []}, Tokens()),
        ({"input_tokens": 1e308}, Tokens(input=int(1e308))),
    ],
)
def test_a_count_that_makes_no_sense_is_nought(usage: Any, tokens: Tokens) -> None:
    assert of({"usage": usage}) == tokens


@pytest.mark.parametrize("response", [{}, {"usage": None}, {"usage": [1]}, [], None])
def test_no_usage_is_not_nought(response: Any) -> None:
    assert of(response) is None


@pytest.mark.parametrize("broken", [b"", b"{", b'{"usage":{"a":"\xff"}}'])
def test_what_cannot_be_read_has_no_tokens(broken: bytes) -> None:
    assert tokens_of(broken) is None


_COUNTS: st.SearchStrategy[Any] = (
    st.integers(-5, 10**20)
    | st.floats(allow_nan=False, allow_infinity=False, max_value=1e20, min_value=-1e20)
    | st.sampled_from([None, True, "3", [], {}])
)
_DETAILS: st.SearchStrategy[Any] = st.dictionaries(
    st.sampled_from(["cached_tokens", "cache_write_tokens", "reasoning_tokens", "x"]), _COUNTS
) | st.sampled_from([None, 1, []])
_USAGES = st.fixed_dictionaries(
    {},
    optional={
        "input_tokens": _COUNTS,
        "output_tokens": _COUNTS,
        "input_tokens_details": _DETAILS,
        "output_tokens_details": _DETAILS,
    },
)


@given(st.fixed_dictionaries({"id": st.just("resp_1")}, optional={"usage": _USAGES}))
def test_a_usage_read_in_one_step_is_as_any_other(response: Any) -> None:
    data = msgspec.json.encode(response)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(token_usage, "_read_plain", msgspec.json.Decoder(int).decode)
        expected = tokens_of(data)

    assert tokens_of(data) == expected
