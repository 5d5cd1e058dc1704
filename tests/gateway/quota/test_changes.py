from collections.abc import Sequence

import pytest

from codex_proapi.gateway.quota.changes import QuotaChanges


@pytest.mark.parametrize(
    ("readings", "material", "changes"),
    [
        ([[12.0, 4.0]] * 3, 1, 1),
        ([[12.0, 4.0], [13.0, 4.0], [14.0, 4.0]], 1, 3),
        ([[10.0], [14.0], [15.0], [19.0]], 2, 4),
        ([[98.0], [100.0], [100.0], [99.0]], 3, 3),
        ([["12", ""], ["12", ""], ["100", ""], ["odd", "?"]], 3, 3),
        ([[1.0], [1.0, 1.0]], 2, 2),
    ],
    ids=[
        "the same",
        "little by little",
        "five points",
        "spent and back",
        "headers",
        "a window more",
    ],
)
def test_a_reading_matters_where_much_has_changed_or_a_window_is_spent(
    readings: Sequence[Sequence[str | float]], material: int, changes: int
) -> None:
    found = QuotaChanges()

    for used in readings:
        found.note("acc_a", "codex", used)

    assert (found.material, found.all) == (material, changes)


def test_accounts_and_limits_are_told_apart() -> None:
    found = QuotaChanges()

    for account, limit in (("acc_a", "codex"), ("acc_b", "codex"), ("acc_a", "codex_x")):
        found.note(account, limit, [100.0])

    assert (found.material, found.all) == (3, 3)
