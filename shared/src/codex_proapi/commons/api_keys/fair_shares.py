"""What keys may have of a pool that is nearly spent: shares by weight, not first come first served.

While the pool is scarce, what each key spends is added up, divided by its weight. A key may be ahead
of the active key that has had least by no more than a little; more is refused until the others have
caught up, or have asked for nothing for a while. Who comes new, or comes back, begins where the one
that has had least stands: nobody saves up a claim. So does who has been refused for a minute: the others
have had their chance, and one that needs little must not hold up everybody who needs more.

What counts is what costs quota: tokens that were not in the prompt cache. How many those are shows
only in the answer, so a part of the request is charged on the way in and put right at settlement.
"""

from typing import Final

import msgspec

from codex_proapi.commons.usage.token_counts import Tokens

ACTIVE_SECONDS: Final = 300
"""How long a key that asks for nothing is waited for."""
PATIENCE_SECONDS: Final = 60
"""How long a key is refused at most: what the others left in that time is anybody's."""
AHEAD: Final = 50_000
"""Tokens that a key of weight 1 may be ahead: some requests of an agent's turn."""
CHARGED: Final = 0.1
"""The part of a request that is charged on the way in: the rest is usually in the prompt cache."""


class FairShare(msgspec.Struct, kw_only=True):
    """One exchange's claim on its key's share; remembers what it was charged."""

    key_id: str
    weight: float
    request_id: str
    tokens: int
    """Of the whole request, estimated."""
    asked: bool = False
    """Whether the pool was scarce, so that the claim was looked at."""
    wait: float = 0.0
    """Seconds until asking again makes sense, if the key has had its share; else 0."""

    @property
    def charged(self) -> bool:
        """Whether it was counted."""
        return self.asked and not self.wait

    @property
    def charge(self) -> int:
        """Tokens charged on the way in."""
        return round(self.tokens * CHARGED)

    @property
    def claim(self) -> str:
        """What the survey has to know."""
        charge = self.charge / self.weight
        bounds = f"{AHEAD} {ACTIVE_SECONDS} {PATIENCE_SECONDS}"
        return f"{self.key_id} {self.request_id} {charge:.3f} {bounds}"

    def take(self, wait: float) -> None:
        """Take in what the survey says: seconds to wait, or 0 for a claim that was charged."""
        self.asked, self.wait = True, wait


def cost_of(tokens: Tokens) -> int:
    """Tokens that cost quota: what was read from the prompt cache hardly does."""
    return tokens.input - tokens.cached + tokens.output
