"""The round robin: whose turn a position of the shared cursor is."""

import functools
import math
from typing import Final

WEIGHT_STEPS: Final = 80
"""A weight of 1.0 is so many turns, before the fraction is reduced: an eightieth still counts."""


@functools.lru_cache(maxsize=256)
def turn_order(weights: tuple[tuple[str, float], ...]) -> tuple[str, ...]:
    """The order of turns: by id when the weights are equal, else spread evenly by weight."""
    slots = {
        account: max(1, round(weight * WEIGHT_STEPS)) if weight > 0 else 0
        for account, weight in weights
    }
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
