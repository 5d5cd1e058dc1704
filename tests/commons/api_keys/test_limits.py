import msgspec
import pytest

from codex_proapi.commons.api_keys.limits import Limits


def test_a_key_without_limits_is_written_as_nothing() -> None:
    assert msgspec.json.encode(Limits()) == b"{}"
    assert msgspec.json.decode(b'{"rpm": 3}', type=Limits) == Limits(rpm=3)


@pytest.mark.parametrize("budget", ["tokens_day", "tokens_week", "tokens_month"])
def test_a_budget_is_a_limit_of_tokens_over_days(budget: str) -> None:
    assert Limits(**{budget: 1}).budgeted
    assert not Limits(rpm=1, tpm=1, concurrent=1).budgeted
