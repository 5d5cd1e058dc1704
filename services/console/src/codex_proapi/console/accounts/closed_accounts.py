"""How an account is closed by its owner's terms at a moment, as far as the console can tell.

The gateways decide for each request, by the newest reading and by its key; this is for display.
"""

import msgspec

from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.accounts.quota_store import SeenQuota
from codex_proapi.commons.owner_terms.closing import (
    Closed,
    Term,
    UsedWindow,
    opening,
    share_reached,
)


class ClosedBody(msgspec.Struct, frozen=True, kw_only=True):
    """How the terms close the account now."""

    term: str
    """`paused`, `hours`, `share`, `reading` (of the share, none is known) or `unreadable`."""
    until: float
    """When it opens by itself, seconds since the epoch; 0 if it does not, or that is unknown."""


def closed_by_owner(account: Account, quota: SeenQuota | None, *, now: float) -> Closed | None:
    """How it is closed to every key; None if it is not.

    Args:
        account: the account.
        quota: what was last seen of its general windows.
        now: seconds since the epoch.
    """
    terms = account.terms
    if terms.unreadable:
        return Closed(term=Term.UNREADABLE)
    if terms.paused:
        return Closed(term=Term.PAUSED)
    try:
        closed = opening(terms, now).closed(now)
    except ValueError:
        return Closed(term=Term.UNREADABLE)
    if closed is not None or not terms.reserves:
        return closed
    if quota is None:
        return Closed(term=Term.READING)
    used = (UsedWindow(w.minutes, w.used_percent, w.resets_at) for w in quota.windows)
    return share_reached(terms.reserved_percent, used, now)


def closed_body(closed: Closed | None) -> ClosedBody | None:
    """How an account is closed, as the API shows it."""
    return None if closed is None else ClosedBody(term=closed.term.value, until=closed.until)
