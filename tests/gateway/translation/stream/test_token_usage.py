"""Upstream's usage as tokens."""

import json
from typing import Any

import pytest
from support import upstream_says as says

from codex_proapi.commons.usage.token_counts import Tokens
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
