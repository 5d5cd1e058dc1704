"""What of a Responses body its answer must know."""

from typing import Any

import pytest
from support.askings import asked

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.translation.responses.options import ResponseOptions


def _echo(**body: Any) -> Any:
    translated = asked({"input": "hi", **body}, endpoint="responses")
    assert isinstance(translated.answer, ResponseOptions)
    assert translated.dropped == ()
    return translated.answer.echo


@pytest.mark.parametrize(
    "metadata", [{}, {"a": "b"}, {f"{n}" + "k" * 62: "v" * 512 for n in range(10, 26)}]
)
def test_metadata_is_repeated_in_the_answer(metadata: Any) -> None:
    assert _echo(metadata=metadata)["metadata"] == metadata
    assert _echo()["metadata"] == {}


@pytest.mark.parametrize(
    ("metadata", "param"),
    [
        (7, "metadata"),
        ({str(n): "" for n in range(17)}, "metadata"),
        ({"k" * 65: ""}, "metadata"),
        ({"a": "v" * 513}, "metadata.a"),
        ({"a": 1}, "metadata.a"),
    ],
)
def test_metadata_beyond_its_bounds_is_refused(metadata: Any, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        _echo(metadata=metadata)

    assert refused.value.param == param


def test_what_is_kept_and_continued_is_repeated_too() -> None:
    assert _echo(store=False)["store"] is False
    translated = asked({"input": "hi", "previous_response_id": "resp_1"}, endpoint="responses")
    assert isinstance(translated.answer, ResponseOptions)
    assert translated.answer.echo["previous_response_id"] == "resp_1"
