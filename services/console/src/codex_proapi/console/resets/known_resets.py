"""What is known of accounts' saved resets: as they were last read, with what was done about them here."""

from collections.abc import Mapping, Sequence

import msgspec

from codex_proapi.commons.codex.reset_credits import SavedReset, SavedResets
from codex_proapi.console.resets.reset_store import Redemption, ResetStore


class KnownReset(msgspec.Struct, frozen=True, kw_only=True):
    """A saved reset, with what was done about it here."""

    id: str
    """The backend's id of it."""
    status: str
    """`available`, `redeemed`, or another word of the backend's."""
    kind: str
    """What it resets, in the backend's words."""
    granted_at: int
    """Seconds since the epoch; 0 is unknown."""
    expires_at: int
    """When it is lost, seconds since the epoch; 0 is unknown."""
    usable: bool
    """Whether it may be redeemed now."""
    pending: bool = False
    """Whether a redemption was begun that the backend has not confirmed: repeat it."""
    redeemed_at: int = 0
    """When it was redeemed here, seconds since the epoch; 0 is not."""
    redeemed_by: str = ""
    """By whom, as the audit names him."""


class KnownResets(msgspec.Struct, frozen=True, kw_only=True):
    """The saved resets of an account, the soonest to expire first."""

    resets: tuple[KnownReset, ...]
    available: int
    """How many may be redeemed."""
    unreadable: int
    """How many entries of the backend's answer had a shape that is not known."""
    seen_at: int
    """When they were read, seconds since the epoch."""


async def read_known_resets(
    store: ResetStore, account_ids: Sequence[str], *, now: float
) -> dict[str, KnownResets]:
    """The resets of accounts as they were last read; those of which none were read are left out."""
    return {
        id_: known_resets(read, await store.redemptions(id_), now=now)
        for id_, read in (await store.last_read(account_ids)).items()
    }


def known_resets(
    read: SavedResets, redemptions: Mapping[str, Redemption], *, now: float
) -> KnownResets:
    """The resets of an account as they were read, with what was done about them here."""
    known = [_known_of(each, redemptions.get(each.id), now) for each in read.resets]
    listed = {each.id for each in read.resets}
    known += [
        _known_of(SavedReset(id=id_), redemption, now)
        for id_, redemption in redemptions.items()
        if id_ not in listed and not redemption.done_at
    ]
    return KnownResets(
        resets=tuple(known),
        available=sum(each.usable for each in known),
        unreadable=read.unreadable,
        seen_at=read.seen_at,
    )


def _known_of(reset: SavedReset, redemption: Redemption | None, now: float) -> KnownReset:
    done = redemption is not None and redemption.done_at > 0
    return KnownReset(
        id=reset.id,
        status=reset.status,
        kind=reset.kind,
        granted_at=reset.granted_at,
        expires_at=reset.expires_at,
        usable=reset.usable(now) and not done,
        pending=redemption is not None and not done,
        redeemed_at=redemption.done_at if redemption else 0,
        redeemed_by=redemption.by if redemption and done else "",
    )
