from typing import Any

import pytest

from codex_proapi.simulator.validation.values import (
    Refused,
    check_length,
    check_name,
    json_type,
    refuse_missing,
    refuse_unknown_keys,
)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        (True, "a boolean"),
        (1, "an integer"),
        (1.5, "a decimal"),
        ("", "a string"),
        ([], "an array"),
        ({}, "an object"),
        (b"", "something else"),
    ],
)
def test_json_types_have_words(value: Any, words: Any) -> None:
    assert json_type(value) == words


def test_a_long_string_is_refused_with_both_lengths() -> None:
    with pytest.raises(Refused) as raised:
        check_length("xxx", param="p", limit=2)

    assert raised.value.refusal.body["error"]["message"] == (
        "Invalid 'p': string too long. Expected a string with maximum length 2, "
        "but got a string with length 3 instead."
    )


def test_a_good_name_passes() -> None:
    check_name("mcp__files-read", where="tools[0]")


def test_a_missing_value_is_named() -> None:
    with pytest.raises(Refused) as raised:
        refuse_missing("model")

    assert raised.value.refusal.code == "missing_required_parameter"


def test_the_first_unknown_key_is_named() -> None:
    with pytest.raises(Refused) as raised:
        refuse_unknown_keys({"a": 1, "b": 2}, {"a"}, where="x")

    assert raised.value.refusal.body["error"]["param"] == "x.b"
