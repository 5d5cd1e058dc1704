"""What one exchange claims of its key: the charge to the key's limits, and its fair share.

The snapshot's script makes both, or neither; the results are kept in the claims themselves.
"""

import msgspec

from codex_proapi.commons.api_keys.fair_shares import FairShare
from codex_proapi.gateway.errors import LimitExceeded
from codex_proapi.gateway.limits.limit_charge import LimitCharge
from codex_proapi.gateway.limits.stream_permits import refused


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """The claims of one exchange; both None in open mode."""

    charge: LimitCharge | None = None
    """The charge to the key's limits; None without limits."""
    fair_share: FairShare | None = None
    """The claim to the key's fair share, made while the pool is scarce."""

    @property
    def pending(self) -> LimitCharge | None:
        """The charge, as long as it has not been made."""
        charge = self.charge
        return None if charge is None or charge.drawn_at else charge

    def refusal(self, now: float) -> LimitExceeded | None:
        """The client's error for the claim that was refused; None if none was.

        Args:
            now: seconds since the epoch, by Redis' clock.
        """
        share, charge = self.fair_share, self.charge
        allowance = None if charge is None else charge.allowance
        if (share is None or not share.wait) and (allowance is None or not allowance.refused):
            return None
        return refused(share, charge, now)
