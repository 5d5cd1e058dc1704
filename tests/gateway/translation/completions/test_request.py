"""Parameters of a completions body that are checked although the backend cannot honour them."""

from typing import Any

import pytest
from support.askings import asked

from codex_proapi.gateway.errors import BadRequest


def read(**fields: Any) -> Any:
    return asked({"prompt": "say hi", **fields}, endpoint="completions")


NO_LENGTHS: list[Any] = [0, -1, "x", "16", 1.5, True, [], {}]
NO_NUMBERS: list[Any] = ["x", -1, 6, True, 1.0, [1]]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("max_tokens", each) for each in NO_LENGTHS),
        *(("logprobs", each) for each in NO_NUMBERS),
    ],
)
def test_what_no_answer_can_have_is_named(field: str, value: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        read(**{field: value})

    assert (refused.value.param, refused.value.code) == (field, "unsupported_value")


@pytest.mark.parametrize(
    ("field", "value"),
    [*(("max_tokens", value) for value in (1, 4096)), *(("logprobs", value) for value in (0, 5))],
)
def test_what_is_sound_is_left_out_and_told(field: str, value: Any) -> None:
    assert field in read(**{field: value}).dropped


@pytest.mark.parametrize(("field", "value"), [("max_tokens", None), ("logprobs", None)])
def test_null_is_absent(field: str, value: Any) -> None:
    assert read(**{field: value}).dropped == read().dropped


def test_no_logprobs_is_what_there_is() -> None:
    assert read(logprobs=False).stream is False
