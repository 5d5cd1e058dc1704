"""Reads saved resets of an account, and redeems one, once, whatever happens on the way.

The order: read the resets, record the redemption with the id of its request on disk, ask, record the
end, then read the quota again and end the account's cooldown. A redemption whose answer was lost
stays recorded, and whoever tries again repeats it with the same id.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.model import Account, CooldownReason
from codex_proapi.commons.accounts.quota_merge import join, seen
from codex_proapi.commons.accounts.quota_store import QuotaStore
from codex_proapi.commons.codex.reset_credits import (
    Redeemed,
    RedeemOutcome,
    SavedResets,
)
from codex_proapi.console.errors import Code, Conflict, ConsoleError, NotFound, UpstreamAway
from codex_proapi.console.resets.backend_calls import ResetCalls
from codex_proapi.console.resets.known_resets import KnownResets, known_resets
from codex_proapi.console.resets.reset_store import Redemption, ResetStore

TRIES: Final = 3
"""Times that one redemption is sent while no usable answer comes."""
PAUSE: Final = 1.0
"""Seconds before the second of them; doubles."""
REFUSALS: Final = {
    RedeemOutcome.NOTHING: Code.RESET_NOTHING,
    RedeemOutcome.NO_CREDIT: Code.RESET_GONE,
    RedeemOutcome.ALREADY: Code.RESET_REDEEMED,
    RedeemOutcome.REFUSED: Code.RESET_REFUSED,
}
"""Codes of outcomes that changed nothing."""
MAY_MEAN_SUCCESS: Final = frozenset(REFUSALS) - {RedeemOutcome.NOTHING}
"""Outcomes of a repeated request that its own first sending may explain."""
REDEEMED: Final = "redeemed"
"""The backend's status of a reset that was redeemed."""

log = structlog.get_logger(__name__)


class DoneRedemption(msgspec.Struct, frozen=True, kw_only=True):
    """A redemption that the backend has confirmed."""

    reset_id: str
    """The backend's id of the reset."""
    request_id: str
    """The same for whoever repeats it."""
    by: str
    """Who began it, as the audit names him."""
    done_at: int
    """When it was confirmed, seconds since the epoch."""
    windows: int
    """How many windows were reset, as far as the backend said; 0 is unknown."""
    repeated: bool
    """Whether it had been begun before."""
    first: bool
    """Whether this one was the first to hear of it: he writes the audit."""


Hook = Callable[[str], None]
"""Called with the outcome of each redemption that was tried."""


class Resets:
    """Saved resets of accounts.

    Args:
        calls: Calls of the backend.
        store: Redemptions and what was last read.
        cooldowns: Ended for spent quota after a reset.
        quotas: Written with what is read after a reset.
        clock: Seconds since the epoch.
        hook: Told of outcomes.
        sleep: Waits some seconds.
    """

    def __init__(
        self,
        calls: ResetCalls,
        store: ResetStore,
        *,
        cooldowns: CooldownStore,
        quotas: QuotaStore,
        clock: Callable[[], float],
        hook: Hook = lambda _outcome: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._calls = calls
        self.store = store
        self._cooldowns = cooldowns
        self._quotas = quotas
        self._clock = clock
        self._hook = hook
        self._sleep = sleep

    def __repr__(self) -> str:
        return f"<Resets {self._calls!r}>"

    async def list(self, account: Account) -> KnownResets:
        """Read the resets from the backend. Raises UpstreamAway, CredentialUnavailable."""
        read = await self._read(account)
        redemptions = await self.store.redemptions(account.id)
        return known_resets(read, redemptions, now=self._clock())

    async def redeem(self, account: Account, reset_id: str, *, by: str) -> DoneRedemption:
        """Redeem a reset; one whose redemption was begun before is asked for with the same request id.

        Args:
            account: Whose reset.
            reset_id: Which. It is named, so that a repetition never redeems another one.
            by: Who has confirmed it, as the audit names him.

        Raises:
            Conflict: nothing was redeemed; the code says why.
            NotFound: the account has no such reset.
            UpstreamAway: RESET_UNCONFIRMED where it may have been redeemed: repeat it.
            CredentialUnavailable: the account has no credential that works.
        """
        begun_at = self._clock()
        if reset_id not in await self.store.redemptions(account.id):
            await self._check(account, reset_id)
        new = Redemption(request_id=str(uuid.uuid4()), by=by, began_at=int(begun_at))
        redemption = await self.store.begin(account.id, reset_id, new)
        repeated = redemption.request_id != new.request_id
        if redemption.done_at:
            return _done(reset_id, redemption, repeated=True, first=False)
        answer = await self._answered(account, reset_id, redemption, repeated=repeated)
        if answer.outcome is not RedeemOutcome.RESET:
            raise await self._not_done(account, reset_id, redemption, answer)
        done = msgspec.structs.replace(
            redemption, done_at=int(self._clock()), windows=answer.windows
        )
        first = await self.store.settle(account.id, reset_id, redemption, done)
        self._hook(RedeemOutcome.RESET.value)
        log.info("reset.redeemed", account=account.id, code=answer.code, repeated=repeated)
        await self._recover(account, begun_at=begun_at)
        return _done(reset_id, done, repeated=repeated, first=first)

    async def _read(self, account: Account) -> SavedResets:
        read = await self._calls.saved_resets(account, now=self._clock())
        if read.unreadable:
            self._hook("unreadable")
            log.warning("resets.unreadable", account=account.id, count=read.unreadable)
        await self.store.keep(account.id, read)
        return read

    async def _check(self, account: Account, reset_id: str) -> None:
        """Raise unless the account has this reset and may redeem it, or somebody here has begun to."""
        read, now = await self._read(account), self._clock()
        found = next((each for each in read.resets if each.id == reset_id), None)
        if found is None:
            raise NotFound(Code.RESET_UNKNOWN, param="reset_id")
        if found.usable(now) or reset_id in await self.store.redemptions(account.id):
            return
        expired = 0 < found.expires_at <= now
        raise Conflict(Code.RESET_GONE if expired else Code.RESET_REDEEMED)

    async def _answered(
        self, account: Account, reset_id: str, redemption: Redemption, *, repeated: bool
    ) -> Redeemed:
        """What came of it, after at most TRIES requests with the same id.

        A refusal of a request that was sent before may be due to its own success: the backend's list
        of resets then says whether it was redeemed.
        """
        pause = PAUSE
        for tried in range(1, TRIES + 1):
            answer = await self._calls.redeem(
                account, reset_id=reset_id, request_id=redemption.request_id
            )
            if answer.outcome is not RedeemOutcome.UNSURE or tried == TRIES:
                break
            log.warning("reset.unsure", account=account.id, code=answer.code)
            await self._sleep(pause)
            pause *= 2
        sent_before = repeated or tried > 1
        if not sent_before or answer.outcome not in MAY_MEAN_SUCCESS:
            return answer
        meant = await self._meant(account, reset_id, answer.outcome)
        return msgspec.structs.replace(answer, outcome=meant)

    async def _meant(
        self, account: Account, reset_id: str, outcome: RedeemOutcome
    ) -> RedeemOutcome:
        """What a refusal of a repeated request means, by the backend's list of resets."""
        if outcome is RedeemOutcome.ALREADY:
            return RedeemOutcome.RESET
        try:
            read = await self._read(account)
        except UpstreamAway:
            return RedeemOutcome.UNSURE
        found = next((each for each in read.resets if each.id == reset_id), None)
        done = found is not None and found.status == REDEEMED
        return RedeemOutcome.RESET if done else outcome

    async def _not_done(
        self, account: Account, reset_id: str, redemption: Redemption, answer: Redeemed
    ) -> ConsoleError:
        """The error for an answer other than a reset; a redemption without effect is forgotten."""
        log.warning("reset.refused", account=account.id, code=answer.code)
        self._hook(answer.outcome.value)
        if answer.outcome is RedeemOutcome.UNSURE:
            return UpstreamAway(Code.RESET_UNCONFIRMED)
        await self.store.settle(account.id, reset_id, redemption, None)
        return Conflict(REFUSALS[answer.outcome])

    async def _recover(self, account: Account, *, begun_at: float) -> None:
        """Read the quota again, and end cooldowns for spent quota unless it is still spent."""
        quota = await self._calls.quota(account)
        if quota is not None:
            reading = seen(quota, self._clock())
            await self._quotas.keep({account.id: lambda known: join(known, reading, complete=True)})
            if quota.reached or quota.spent_window is not None:
                return
        reasons = {CooldownReason.QUOTA}
        await self._cooldowns.clear(account.id, reasons=reasons, begun_by=begun_at)


def _done(reset_id: str, redemption: Redemption, *, repeated: bool, first: bool) -> DoneRedemption:
    return DoneRedemption(
        reset_id=reset_id,
        request_id=redemption.request_id,
        by=redemption.by,
        done_at=redemption.done_at,
        windows=redemption.windows,
        repeated=repeated,
        first=first,
    )
