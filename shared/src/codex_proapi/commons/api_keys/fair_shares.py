"""Fair shares: while the pool is scarce, keys share what is left of it by weight.

What each key spends is added up, divided by its weight. A key may be ahead of the active key that
has had least by no more than AHEAD; more is refused until the others have caught up or have been
idle for ACTIVE_SECONDS. A key that is new or comes back begins at the least sum, so claims cannot
be saved up. So does a key that has been refused for PATIENCE_SECONDS: one that needs little must
not hold up those that need more.

Only tokens outside the prompt cache cost quota. How many those are is known from the answer, so a
part of the request is charged on admission and corrected at settlement.
"""

from typing import Final

import msgspec

from codex_proapi.commons.usage.token_counts import Tokens

ACTIVE_SECONDS: Final = 300
"""Seconds without a request after which a key no longer counts as active."""
PATIENCE_SECONDS: Final = 60
"""Most seconds a key is refused; quota that others have not used by then is free for all."""
AHEAD: Final = 50_000
"""Tokens that a key of weight 1 may be ahead: some requests of an agent's turn."""
CHARGED: Final = 0.1
"""Share of a request's tokens charged on admission; the rest is usually in the prompt cache."""
_BOUNDS: Final = f"{AHEAD} {ACTIVE_SECONDS} {PATIENCE_SECONDS}"


class FairShare(msgspec.Struct, kw_only=True):
    """One exchange's claim on its key's fair share, and the result."""

    key_id: str
    weight: float
    request_id: str
    tokens: int
    """Estimated tokens of the whole request."""
    checked: bool = False
    """Whether the pool was scarce, so that the claim was checked."""
    wait: float = 0.0
    """Seconds until a retry makes sense, if the key has used its share; else 0."""
    charge: int = 0
    """Tokens that are charged on admission; known once the claim was made."""
    charged: bool = False
    """Whether they were."""

    def claim(self) -> str:
        """Make the claim, as an argument of the snapshot script."""
        self.charge = round(self.tokens * CHARGED)
        by_weight = self.charge / self.weight
        return f"{self.key_id} {self.request_id} {by_weight:.3f} {_BOUNDS}"

    def take(self, wait: float) -> None:
        """Take the snapshot's result: seconds to wait, or 0 for a claim that was charged."""
        self.checked, self.wait, self.charged = True, wait, not wait


def cost_of(tokens: Tokens) -> int:
    """Tokens that cost quota: all but those read from the prompt cache."""
    return tokens.input - tokens.cached + tokens.output
