"""The round robin: whose turn a position of the shared cursor is."""

import bisect
import functools
import math
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final

WEIGHT_STEPS: Final = 80
"""A weight of 1.0 is so many turns, before the fraction is reduced: an eightieth still counts."""

MOST_WEIGHT: Final = 100.0
"""What counts of a greater weight, which only another version or a hand can have written."""


@functools.lru_cache(maxsize=32)
def turn_order(weights: tuple[tuple[str, float], ...]) -> tuple[str, ...]:
    """The order of turns: by id when the weights are equal, else spread evenly by weight."""
    slots = {account: _slots(weight) for account, weight in weights}
    if not any(slots.values()):
        slots = dict.fromkeys(slots, 1)
    step = math.gcd(*slots.values())
    counts = {account: count // step for account, count in slots.items()}
    positions = (
        ((turn + 0.5) / count, account)
        for account, count in counts.items()
        for turn in range(count)
    )
    return tuple(account for _, account in sorted(positions))


def _slots(weight: float) -> int:
    """Turns of a weight; of one that is no number, or none that a console gives, within bounds."""
    if not weight > 0:
        return 0
    return max(1, round(min(weight, MOST_WEIGHT) * WEIGHT_STEPS))


def positions_of(turns: Sequence[str]) -> dict[str, list[int]]:
    """The positions at which it is each account's turn, ascending."""
    positions: dict[str, list[int]] = {}
    for at, account_id in enumerate(turns):
        positions.setdefault(account_id, []).append(at)
    return positions


class Turns:
    """Some accounts of a round robin, with the positions at which it is their turn.

    Args:
        positions: those of every account of the round, as `positions_of` gives them.
        among: ids of the accounts that may be found; those without a turn come last, in this order.
    """

    def __init__(self, positions: Mapping[str, Sequence[int]], among: Iterable[str]) -> None:
        ids = list(among)
        slots = sorted(
            (at, account_id) for account_id in ids for at in positions.get(account_id, ())
        )
        self._positions = [at for at, _ in slots]
        self._ids = [account_id for _, account_id in slots]
        self._others = [account_id for account_id in ids if account_id not in positions]

    def __repr__(self) -> str:
        return f"<Turns, {len(self._ids)} slots>"

    def first(self, start: int, passed: Container[str]) -> str | None:
        """The first account from a position on, around the round, that is not passed over.

        None if all are passed over. The time it takes grows only with the accounts passed over.
        """
        ids = self._ids
        at = bisect.bisect_left(self._positions, start)
        for step in range(len(ids)):
            account_id = ids[(at + step) % len(ids)]
            if account_id not in passed:
                return account_id
        return next((other for other in self._others if other not in passed), None)
