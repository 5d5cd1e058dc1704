"""When an answer counts as given by another model."""

import pytest

from codex_proapi.commons.codex.substitution import is_substitution


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ("gpt-6-astra", "gpt-5.6-luna"),
        ("gpt-6-sol", "gpt-6-luna"),
        ("gpt-6.2-sol", "gpt-6-sol"),
        ("gpt-5", "gpt-5-mini"),
        ("gpt-5-mini", "gpt-5"),
        ("gpt-5", "gpt-5-mini-2026-08-07"),
        ("gpt-5.5", "gpt-5.55"),
        ("gpt-6", "gpt-60"),
    ],
)
def test_another_model_is_a_substitution(sent: str, answered: str) -> None:
    assert is_substitution(sent, answered)


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ("gpt-6-sol", "gpt-6-sol"),
        ("gpt-6-sol", "GPT-6-Sol"),
        ("gpt-6-sol", "gpt-6-sol-2026-11-03"),
        ("gpt-6-sol-20261103", "gpt-6-sol"),
        ("gpt-6-sol", "gpt-6-sol-latest"),
        ("gpt-5.6-luna", "gpt-5.6-luna-free-1p-codexswic-ev3"),
        ("gpt-reserve", "gpt-6-luna"),
        ("gpt-6-luna", "gpt-reserve"),
        ("gpt-6-sol", ""),
        ("", "gpt-6-sol"),
    ],
)
def test_another_name_of_the_same_model_is_none(sent: str, answered: str) -> None:
    assert not is_substitution(sent, answered)


@pytest.mark.parametrize(
    ("answered", "other"),
    [
        ("gpt-5.6-luna", False),
        ("gpt-5.6-luna-2026-07-01", False),
        ("gpt-reserve", False),
        ("", False),
        ("gpt-5.5", True),
        ("gpt-6-sol", True),
    ],
)
def test_in_place_of_the_reserve_only_its_own_model_may_answer(answered: str, other: bool) -> None:
    assert is_substitution("gpt-reserve", answered, stands_for="gpt-5.6-luna") is other
