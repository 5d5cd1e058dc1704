"""What an exchange wants of the pool, and what the pool lends it: values, no deeds."""

from collections.abc import Awaitable, Callable

import msgspec

from codex_proapi.commons.accounts.model import Account, Credential
from codex_proapi.commons.api_keys.fair_shares import FairShare
from codex_proapi.commons.balancing.candidates import Reason, SelectionInput
from codex_proapi.gateway.limits.charge import LimitCharge
from codex_proapi.gateway.pool.concurrency import Waiter


async def _confirmed(version: int) -> None:
    """Open mode without a key has nothing to confirm."""
    del version


class LeaseRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What an account must serve."""

    model: str
    """The sent model."""
    fingerprint: str = ""
    """Names the conversation, for affinity; empty for one that cannot be told from others."""
    begins: bool = False
    """Whether the conversation is new: it is tied to its account, but follows none."""
    allowed_accounts: tuple[str, ...] = ()
    """Account ids the client's key may spend; empty is all."""
    waiter: Waiter = Waiter()
    """On whose behalf an account's slot is taken."""
    charge: LimitCharge | None = None
    """What the exchange draws on its key's limits, with its first snapshot; None without limits."""
    fair_share: FairShare | None = None
    """What the exchange claims of its key's share, should the pool be scarce; None without a key."""
    confirm: Callable[[int], Awaitable[object]] = _confirmed
    """Told the version of the keys that the snapshot saw; raises BadKey if the key holds no more."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """An account with a fresh credential, lent to one attempt."""

    account: Account
    credential: Credential
    basis: Reason
    """What decided for this account."""
    why: str = ""
    """The same in words, with the figures."""
    selection_input: SelectionInput | None = None
    """What it was chosen from; None where nothing was chosen."""
    began: float
    """Seconds since the epoch, by Redis' clock."""
    is_affine: bool = False
    """Whether it is the conversation's own account: only that one can read its encrypted items."""
    sole: bool = False
    """Whether there is no other account at all."""
    probe: bool = False
    """Whether it tries an account whose breaker is half open."""
