"""The lease request of an exchange, and the lease that the pool gives for it."""

import msgspec

from codex_proapi.commons.accounts.model import Account, Credential
from codex_proapi.commons.balancing.candidates import Reason, SelectionInput
from codex_proapi.gateway.pool.slot_queue import Waiter


class LeaseRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What an exchange requires of an account."""

    model: str
    """The model to be sent."""
    fingerprint: str = ""
    """Identifies the conversation, for affinity; empty if it cannot be identified."""
    is_guest: bool = False
    """Whether it only borrows the conversation's account, and leaves the conversation where it is."""
    begins: bool = False
    """Whether the conversation is new: it will be tied to its account, but has no tie yet."""
    allowed_accounts: tuple[str, ...] = ()
    """Account ids the client's key may spend; empty for all."""
    key_group: str = ""
    """The group of the client's key; empty for none."""
    waiter: Waiter = Waiter()
    """The queue entry for a concurrency slot."""

    @property
    def tied(self) -> str:
        """The conversation that is to be tied to the account which answers; empty for none."""
        return "" if self.is_guest else self.fingerprint


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """An account with a fresh credential, for one attempt."""

    account: Account
    credential: Credential
    basis: Reason
    """Why the account was selected."""
    why: str = ""
    """The reason in words, with figures, for the access log."""
    selection_input: SelectionInput | None = None
    """The input of the selection; None if there was none, or it is not to be logged."""
    began: float
    """Seconds since the epoch, by Redis' clock."""
    is_affine: bool = False
    """Whether the conversation is tied to the account, which can read its encrypted items."""
    is_tie_stored: bool = False
    """Whether Redis has that tie, its lifetime renewed by the snapshot."""
    sole: bool = False
    """Whether it is the only account there is."""
    probe: bool = False
    """Whether the attempt probes a half-open circuit breaker."""
