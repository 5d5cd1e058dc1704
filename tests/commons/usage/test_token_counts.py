"""Tokens add up kind by kind."""

from codex_proapi.commons.usage.token_counts import Tokens


def test_tokens_add_up_kind_by_kind() -> None:
    first = Tokens(input=10, cached=4, cache_write=1, output=6, reasoning=5)
    second = Tokens(input=1, cached=1, cache_write=1, output=1, reasoning=1)

    assert first + second == Tokens(input=11, cached=5, cache_write=2, output=7, reasoning=6)


def test_the_total_counts_input_and_output_once() -> None:
    assert Tokens(input=10, cached=4, output=6, reasoning=5).total == 16
