"""Refreshes credentials: one token call at a time for an account, across all replicas.

The order: lock, read again, call, save if the generation is unchanged, only then use. The call runs
in a task of its own, so that neither a cancelled client nor a slow server loses its answer: a
refresh token is single use, and an answer that is lost may end the login. The lock is renewed while
the call runs; the comparison of generations protects the write even if the lock was lost.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import msgspec
import structlog
from redis.asyncio import Redis

from codex_proapi.commons.accounts.kinds import TOKEN_REFUSED, kind_of
from codex_proapi.commons.accounts.model import AccountState, Credential, token_digest
from codex_proapi.commons.accounts.refresh_pace import Pace
from codex_proapi.commons.accounts.renewed_credentials import RenewedCredentials
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.codex.token_endpoint import (
    Grant,
    GrantRefused,
    GrantUnavailable,
    TokenEndpoint,
)
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, mapped, text
from codex_proapi.commons.redis.locks import Locks
from codex_proapi.commons.runtime.errors import (
    CredentialRevoked,
    CredentialUnavailable,
    CredentialUnreachable,
    StoreUnavailable,
)
from codex_proapi.commons.runtime.tasks import Tasks

MARGIN = 300
"""Seconds before its end from which an access token is renewed, at most a tenth of its life."""
MOST_AGE = 8 * keyspace.DAY
"""Age from which a token without a readable end is renewed."""
CONFIRMED_SECONDS = 3600
"""Time in which a lasting token that was confirmed, and is refused once more, counts as over."""
LAST_WORD = 180.0
"""Seconds after which the wait for another replica's call is given up."""
CLOSE_PATIENCE = 30.0
"""Seconds that closing waits for calls under way."""

Hook: TypeAlias = Callable[[str, str], None]
"""Called with the account and the outcome of a token call: refreshed, confirmed, superseded, refused,
unavailable."""

log = structlog.get_logger(__name__)


DEFAULT_PACE = Pace()


class _Need(NamedTuple):
    """Which generations of a credential do not serve a caller; -1 is none."""

    rejected: int = -1
    """The one that the backend answered 401 to: it has ended, whatever its `exp` says."""
    outdated: int = -1
    """The one to be replaced although it works (`renew`)."""


class CredentialRefresher:
    """Returns valid credentials, refreshing them when needed."""

    def __init__(
        self,
        store: AccountStore,
        endpoint: TokenEndpoint,
        redis: Redis,
        *,
        clock: Callable[[], float],
        hook: Hook = lambda _account, _outcome: None,
        pace: Pace = DEFAULT_PACE,
    ) -> None:
        self._store = store
        self._endpoint = endpoint
        self._redis = redis
        self._clock = clock
        self._hook = hook
        self._pace = pace
        self._locks = Locks(redis, keyspace.refresh_lock, seconds=pace.lock)
        self._tasks = Tasks()
        self._flights: dict[tuple[str, _Need], _Flight] = {}
        self._failures: dict[str, int] = {}
        self._unreachable_until = 0.0
        """Until when this process does not connect to the authorization server (loop time)."""
        self._renewed = RenewedCredentials(store, pause=pace.poll)
        self._settles_at = 0.0
        self._closing = False

    def __repr__(self) -> str:
        return f"<CredentialRefresher {len(self._flights)} under way>"

    async def close(self) -> None:
        """Wait for this process' token calls under way, as their answers must be saved."""
        self._closing = True
        await self._tasks.close(patience=CLOSE_PATIENCE)

    def returned(self) -> None:
        """Save credentials that Redis could not store, or has lost, before any refresh; called when it is back."""
        self._settles_at = _now() + self._pace.settle
        self._renewed.returned()
        for account_id in self._renewed.accounts:
            self._tasks.start(self._check(account_id), name=f"check {account_id}")

    async def _check(self, account_id: str) -> None:
        with contextlib.suppress(CredentialUnavailable, StoreUnavailable):
            await self._read(account_id)

    def is_fresh(self, credential: Credential, now: float) -> bool:
        """Whether it can be used without a refresh; `now` is seconds since the epoch."""
        if credential.expires_at > now + MARGIN or (kind := kind_of(credential)).lasts:
            return True
        if not kind.refresh_token(credential):
            return self._usable(credential)
        if not credential.expires_at:
            return credential.refreshed_at > now - MOST_AGE
        life = credential.expires_at - credential.refreshed_at
        return credential.expires_at > now + min(MARGIN, max(life // 10, 1))

    async def fresh(
        self,
        account_id: str,
        *,
        held: Credential | None = None,
        rejected: Credential | None = None,
    ) -> Credential:
        """A credential that should work, with as few calls as possible.

        Args:
            account_id: The account.
            held: The credential this process has: returned if fresh, without reading Redis.
            rejected: The one the backend answered 401 to: never returned.

        Raises:
            CredentialRevoked: Only signing in again helps.
            CredentialUnreachable: The authorization server cannot be reached from here.
            CredentialUnavailable: Another try may succeed.
        """
        if held is not None and rejected is None and self.is_fresh(held, self._clock()):
            return held
        flight = self._join(account_id, _Need(rejected.generation if rejected else -1))
        still = held if rejected is None and held is not None and self._usable(held) else None
        patience = flight.began + self._pace.grace - _now() if still else self._pace.patience
        done, _ = await asyncio.wait({flight.task}, timeout=max(patience, 0))
        slow = CredentialUnavailable(f"The refresh of {account_id} takes too long.")
        outcome = flight.task.result() if done else slow
        if isinstance(outcome, CredentialUnavailable) and still is not None:
            return still
        return _outcome_of(outcome, rejected)

    async def renew(self, account_id: str) -> Credential:
        """Refresh although the token works; on failure the old one stays in use.

        Raises:
            CredentialUnavailable: Another try may succeed, or there is no refresh token.
            CredentialRevoked: The server refused the refresh token for good; the access token
                serves until it ends, unless it has already.
        """
        held = await self._read(account_id)
        if not kind_of(held).refresh_token(held) and self._usable(held):
            raise CredentialUnavailable(f"{account_id} has no refresh token: it ends as it is.")
        flight = self._join(account_id, _Need(outdated=held.generation))
        await asyncio.wait({flight.task}, timeout=self._pace.patience)
        if not flight.task.done():
            raise CredentialUnavailable(f"The refresh of {account_id} takes too long.")
        outcome = flight.task.result()
        if isinstance(outcome, Credential) and outcome.generation == held.generation:
            account = await self._store.get(account_id)
            if account is not None and account.state is AccountState.REVOKED:
                raise CredentialRevoked(f"{account_id} must sign in again.")
        return _outcome_of(outcome, held)

    def _usable(self, credential: Credential) -> bool:
        """Whether the access token has not ended yet, as far as that can be read from it."""
        ends = 0 if kind_of(credential).lasts else credential.expires_at
        return not ends or ends > self._clock()

    def _join(self, account_id: str, need: _Need) -> "_Flight":
        """The refresh under way for this need, started if there is none."""
        key = (account_id, need)
        if (flight := self._flights.get(key)) is not None:
            return flight
        task = self._tasks.start(self._fly(account_id, need), name=f"refresh {account_id}")
        task.add_done_callback(lambda _: self._flights.pop(key, None))
        self._flights[key] = flight = _Flight(began=_now(), task=task)
        return flight

    async def _fly(self, account_id: str, need: _Need) -> "Credential | CredentialUnavailable":
        """Obtain a credential; expected errors are values, shared by all waiters."""
        try:
            return await self._obtain(account_id, need)
        except CredentialUnavailable as error:
            return error
        except StoreUnavailable as error:
            return CredentialUnavailable(str(error))

    async def _obtain(self, account_id: str, need: _Need) -> Credential:
        """Wait for another replica's refresh, or make one."""
        give_up = _now() + LAST_WORD
        while True:
            current = await self._read(account_id)
            if (settled := await self._settled(current, need)) is not None:
                return settled
            if _now() >= self._settles_at:
                async with self._locks.acquire(account_id) as ours:
                    if ours:
                        return await self._refresh(account_id, need)
            if self._closing or _now() > give_up:
                raise CredentialUnavailable(f"Another replica is still refreshing {account_id}.")
            await asyncio.sleep(self._pace.poll)

    async def _refresh(self, account_id: str, need: _Need) -> Credential:
        """Under the lock: read again, call, save, return."""
        current = await self._read(account_id)
        if (settled := await self._settled(current, need)) is not None:
            return settled
        reason = (
            "unauthorized_recovery" if current.generation == need.rejected else "proactive_expiry"
        )
        try:
            kind = kind_of(current)
            token = kind.refresh_token(current)
            grant = await kind.refresh(self._endpoint, token, reason)
        except GrantRefused as refusal:
            return await self._refused(current, need, refusal)
        except GrantUnavailable as failure:
            return await self._unavailable(current, need, failure)
        return await self._save(current, grant)

    async def _save(self, current: Credential, grant: Grant) -> Credential:
        """Save the new tokens; retried while Redis is away, as they exist nowhere else."""
        renewed = msgspec.structs.replace(
            current,
            access_token=grant.access_token or current.access_token,
            refresh_token=grant.refresh_token or current.refresh_token,
            id_token=grant.id_token or current.id_token,
            expires_at=(
                grant.expires_at(self._clock()) if grant.access_token else current.expires_at
            ),
            refreshed_at=int(self._clock()),
            generation=current.generation + 1,
        )
        saved = await self._renewed.save(renewed, replaced=current, owner=grant.owner)
        self._failures.pop(current.account_id, None)
        if not saved:
            return await self._superseded(current)
        outcome = "confirmed" if kind_of(current).lasts else "refreshed"
        self._tell(current, outcome, generation=renewed.generation)
        # A token that expires soon must not be refreshed again at once.
        if not self.is_fresh(renewed, self._clock()):
            await self._pause_for(current.account_id)
        return renewed

    async def _superseded(self, current: Credential) -> Credential:
        """The stored credential: another one, or ours by a call whose reply was lost."""
        self._tell(current, "superseded", generation=current.generation)
        return await self._read(current.account_id)

    async def _refused(self, current: Credential, need: _Need, refusal: GrantRefused) -> Credential:
        """Handle a refusal: use another replica's result, else store the refusal."""
        if (other := await self._another(current, refusal)) is not None:
            return other
        self._tell(current, "refused", code=refusal.code)
        if not refusal.permanent:
            await self._pause_for(current.account_id)
            return self._old(current, need)
        with mapped():
            await self._redis.set(
                keyspace.refused_grant(token_digest(kind_of(current).refresh_token(current))),
                refusal.code,
                ex=keyspace.REFUSED_GRANT_SECONDS,
            )
        return await self._revoked(current, need, refusal.code)

    async def _another(self, current: Credential, refusal: GrantRefused) -> Credential | None:
        """The credential another process saved; awaited if our refresh token was used."""
        give_up = _now() + (self._pace.reuse if refusal.code == "refresh_token_reused" else 0)
        while True:
            found = await self._read(current.account_id)
            if found.generation != current.generation:
                return found
            if _now() >= give_up:
                return None
            await asyncio.sleep(self._pace.poll)

    async def _unavailable(
        self, current: Credential, need: _Need, failure: GrantUnavailable
    ) -> Credential:
        """Handle a call without a usable answer: pause further tries; return the old token while it works.

        Where no connection could be made it is this process that pauses, for no other may be
        concerned.
        """
        self._tell(current, "unavailable", code=failure.code, sent=failure.sent)
        if not failure.sent:
            self._unreachable_until = _now() + self._pace.pause
            return self._old(current, need)
        await self._pause_for(current.account_id, at_least=failure.retry_after)
        return self._old(current, need)

    async def _pause_for(self, account_id: str, *, at_least: float = 0) -> None:
        failures = self._failures[account_id] = self._failures.get(account_id, 0) + 1
        seconds = min(max(self._pace.pause << min(failures - 1, 6), int(at_least)), 60)
        with mapped():
            await self._redis.set(keyspace.refresh_pause(account_id), failures, ex=seconds)

    async def _settled(self, current: Credential, need: _Need) -> Credential | None:
        """The result where no call is needed or allowed; None when one must be made."""
        if current.generation not in need and self.is_fresh(current, self._clock()):
            return current
        kind = kind_of(current)
        if not (token := kind.refresh_token(current)):
            return await self._revoked(current, need, "refresh_token_missing")
        confirmed = kind.lasts and current.refreshed_at > self._clock() - CONFIRMED_SECONDS
        if confirmed and current.generation == need.rejected:
            return await self._revoked(current, need, TOKEN_REFUSED)
        keys = [
            keyspace.refused_grant(token_digest(token)),
            keyspace.refresh_pause(current.account_id),
        ]
        refused, paused = await ask(lambda: self._redis.mget(keys))
        if refused:
            return await self._revoked(current, need, text(refused))
        if paused or self._is_unreachable():
            return self._old(current, need)
        return None

    async def _revoked(self, current: Credential, need: _Need, code: str) -> Credential:
        """The result after a final refusal. A token the backend rejected counts as expired."""
        dead = current.generation == need.rejected or kind_of(current).lasts
        marked = await self._store.mark(
            current.account_id,
            AccountState.REVOKED,
            code,
            generation=current.generation,
            token_expires_at=int(self._clock()) if dead else None,
        )
        if not marked:
            return await self._read(current.account_id)
        log.warning("credential.revoked", account=current.account_id, reason=code)
        if not dead and self._usable(current):
            return current
        raise CredentialRevoked(f"{current.account_id} must sign in again ({code}).")

    def _old(self, current: Credential, need: _Need) -> Credential:
        """The present token while it works."""
        if current.generation != need.rejected and self._usable(current):
            return current
        if self._is_unreachable():
            raise CredentialUnreachable(f"{current.account_id} cannot be refreshed from here.")
        raise CredentialUnavailable(f"{current.account_id} cannot be refreshed for now.")

    def _is_unreachable(self) -> bool:
        """Whether this process could not connect to the authorization server a moment ago."""
        return _now() < self._unreachable_until

    async def _read(self, account_id: str) -> Credential:
        credential = await self._store.credential(account_id)
        if credential is None:
            raise CredentialUnavailable(f"{account_id} has no credential.")
        return await self._renewed.restored(credential)

    def _tell(self, current: Credential, outcome: str, **facts: str | int | bool) -> None:
        self._hook(current.account_id, outcome)
        log.info("credential.asked", account=current.account_id, outcome=outcome, **facts)


class _Flight(msgspec.Struct, frozen=True):
    """One refresh under way, with all its waiters."""

    began: float
    task: "asyncio.Task[Credential | CredentialUnavailable]"


def _outcome_of(
    outcome: "Credential | CredentialUnavailable", rejected: Credential | None
) -> Credential:
    """The outcome of a refresh for one waiter."""
    if isinstance(outcome, CredentialUnavailable):
        raise outcome
    if rejected is not None and outcome.generation == rejected.generation:
        raise CredentialUnavailable(f"{outcome.account_id} has no other credential for now.")
    return outcome


def _now() -> float:
    return asyncio.get_running_loop().time()
