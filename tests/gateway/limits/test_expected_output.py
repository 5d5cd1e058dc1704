"""What is expected of an answer's length, for budgets in money."""

from typing import Any

import pytest

from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.limits.expected_output import MOST_MODELS, ExpectedOutput


def record(output: int, **fields: Any) -> ExchangeRecord:
    return ExchangeRecord(
        **{
            "request_id": "req_1",
            "at": 1.0,
            "endpoint": "chat",
            "sent_model": "sol",
            "ending": Ending.WHOLE,
            "tokens": Tokens(output=output),
            **fields,
        }
    )


def test_nothing_is_expected_of_a_model_that_has_not_answered() -> None:
    assert ExpectedOutput().of("sol") == 0


def test_it_is_the_first_answers_length_and_follows_those_that_come() -> None:
    expected = ExpectedOutput()
    expected.settle(record(1600))
    assert expected.of("sol") == 1600

    expected.settle(record(3200))
    assert expected.of("sol") == 1700
    for _ in range(200):
        expected.settle(record(100))
    assert expected.of("sol") == 100


@pytest.mark.parametrize(
    "fields",
    [
        {"ending": Ending.REFUSED},
        {"ending": Ending.ABANDONED},
        {"tokens": Tokens()},
        {"sent_model": ""},
    ],
)
def test_answers_that_tell_nothing_of_it_are_passed_over(fields: dict[str, Any]) -> None:
    expected = ExpectedOutput()

    expected.settle(record(50, **fields))

    assert (expected.of("sol"), expected.of("")) == (0, 0)


def test_so_many_models_are_known() -> None:
    expected = ExpectedOutput()
    for number in range(MOST_MODELS + 9):
        expected.settle(record(5, sent_model=f"m{number}"))

    assert sum(expected.of(f"m{number}") > 0 for number in range(MOST_MODELS + 9)) == MOST_MODELS
