"""Accounts are lent while they have slots; who finds none waits for one.

Which account is asked is `choice`'s decision and who is served next that of the slots' script; here
the two are brought together. Where accounts may give any number of answers, nobody waits.
"""

from collections.abc import Callable, Collection
from typing import Final

import msgspec

from gateway.choice.ballot import Cause, NoChoice
from gateway.relay.lease import Lease, Wish
from gateway.relay.rotation import Rotation
from gateway.relay.slots import Slots

QUEUE_SECONDS: Final = 30.0
"""How long one request waits for slots in all, before its client is told to come again."""


class Lending:
    """Lends accounts that have a slot."""

    def __init__(self, rotation: Rotation, slots: Slots, *, clock: Callable[[], float]) -> None:
        self.rotation = rotation
        self._slots = slots
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Lending {self.rotation!r} {self._slots!r}>"

    async def lease(self, wish: Wish, tried: Collection[str] = ()) -> Lease | NoChoice:
        """Lend an account that has not been tried, with a slot of it, or say why there is none.

        A slot lent before is given back. Raises StoreUnavailable; Exhausted for a key's limit.
        """
        if not self._slots.most:
            return await self.rotation.lease(wish, tried)
        begun, waited = self._clock(), False
        full: set[str] = set()
        while True:
            found = await self.rotation.lease(wish, tried, full=full)
            if isinstance(found, Lease):
                without = await self._slots.take(found.account.id, wish.party)
                if without:
                    full.update(without)
                    continue
                return _told(found, self._clock() - begun) if waited else found
            seconds = begun + QUEUE_SECONDS - self._clock()
            if found.cause is not Cause.BUSY or seconds <= 0:
                return found
            account_id = await self._slots.wait(found.accounts, wish.party, seconds=seconds)
            if account_id is None:
                return found
            waited = True
            full.discard(account_id)


def _told(lease: Lease, seconds: float) -> Lease:
    """A lease that tells how long it was waited for."""
    why = f"waited {seconds * 1000:.0f} ms for a slot; {lease.why}"
    return msgspec.structs.replace(lease, why=why)
