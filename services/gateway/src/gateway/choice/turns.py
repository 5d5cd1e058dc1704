"""The round robin: whose turn a position of the shared cursor is."""

import functools
import math
from typing import Final

WEIGHT_STEPS: Final = 10
"""A weight counts in tenths: 1.0 is ten slots before the fraction is reduced."""


@functools.lru_cache(maxsize=256)
def schedule(weights: tuple[tuple[str, float], ...]) -> tuple[str, ...]:
    """The order of turns: by id when the weights are equal, else spread smoothly by weight."""
    slots = {
        account: max(1, round(weight * WEIGHT_STEPS)) if weight > 0 else 0
        for account, weight in sorted(weights)
    }
    if not any(slots.values()):
        slots = dict.fromkeys(slots, 1)
    step = math.gcd(*slots.values())
    slots = {account: count // step for account, count in slots.items() if count}
    total = sum(slots.values())
    credit = dict.fromkeys(slots, 0)
    turns = []
    for _ in range(total):
        for account, count in slots.items():
            credit[account] += count
        turn = max(credit, key=lambda account: credit[account])
        credit[turn] -= total
        turns.append(turn)
    return tuple(turns)
