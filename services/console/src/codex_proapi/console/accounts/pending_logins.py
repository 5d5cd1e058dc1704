"""Store of pending logins: any replica can finish a login that another started, each only once.

A pending login is taken with GETDEL, so a state or device code works once. The outcome is a key of
its own, for the page that waits.
"""

import enum
import hashlib
from collections.abc import Callable

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.codex.token_endpoint import DeviceCode
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, mapped
from codex_proapi.commons.runtime.cipher import Cipher
from codex_proapi.commons.runtime.stored_records import read_json
from codex_proapi.console.owners.consent import Claim

OUTCOME_SECONDS = 600
"""How long after its end a login's outcome can still be read."""


class Way(enum.StrEnum):
    """How an account is added."""

    BROWSER = "browser"
    PASTED = "pasted"
    DEVICE = "device"
    AUTH_JSON = "auth_json"
    ACCESS_TOKEN = "access_token"  # noqa: S105 - a way, no token


class LoginState(enum.StrEnum):
    """State of a login."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


class PendingLogin(msgspec.Struct, frozen=True, kw_only=True):
    """One pending login. Its repr hides the secrets."""

    id: str
    """Handle for the page that waits; derived from the state, without revealing it."""
    way: Way
    owner: str
    """Who began it (`RequestIdentity.owner`); only the same may finish it."""
    expires_at: int
    """Seconds since the epoch."""
    account: str = ""
    """The account to renew; empty adds whichever signs in."""
    after: str = ""
    """Where the browser goes afterwards, a path of ours."""
    verifier: str = ""
    """PKCE verifier of a browser or pasted login."""
    redirect_uri: str = ""
    """The redirect address that went into the authorize URL; the exchange repeats it."""
    device: DeviceCode | None = None
    """The code of a device login."""
    claim: Claim | None = None
    """The owner of accounts who signs in, and what he has agreed to; None is the administrator."""

    def __repr__(self) -> str:
        return f"<PendingLogin {self.id} {self.way.value}>"


class Outcome(msgspec.Struct, frozen=True, kw_only=True, rename={"login_state": "standing"}):
    """State of a login, for the page that waits. Contains no secret."""

    id: str
    way: Way
    owner: str
    expires_at: int
    login_state: LoginState = LoginState.WAITING
    account: str = ""
    """The account it ended in."""
    code: str = ""
    """The error code it failed with."""


class PendingLogins:
    """Store of pending logins and their outcomes."""

    def __init__(self, redis: Redis, cipher: Cipher, *, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._cipher = cipher
        self._clock = clock

    def __repr__(self) -> str:
        return "<PendingLogins>"

    async def keep(self, pending: PendingLogin) -> None:
        """Store a login until it is taken or expires."""
        seconds = max(1, pending.expires_at - int(self._clock()))
        sealed = self._cipher.seal_bytes(msgspec.json.encode(pending))
        with mapped():
            await self._redis.set(keyspace.login(pending.id), sealed, ex=seconds)
        await self.settle(
            Outcome(
                id=pending.id,
                way=pending.way,
                owner=pending.owner,
                expires_at=pending.expires_at,
            )
        )

    async def change(self, pending: PendingLogin) -> None:
        """Store a login that still waits in another form; one that was taken stays so."""
        seconds = max(1, pending.expires_at - int(self._clock()))
        sealed = self._cipher.seal_bytes(msgspec.json.encode(pending))
        with mapped():
            await self._redis.set(keyspace.login(pending.id), sealed, ex=seconds, xx=True)

    async def get(self, login_id: str) -> PendingLogin | None:
        """A login without taking it."""
        return self._open(await ask(lambda: self._redis.get(keyspace.login(login_id))))

    async def take(self, login_id: str) -> PendingLogin | None:
        """Remove and return a login; a second call gets None."""
        with mapped():
            return self._open(await self._redis.getdel(keyspace.login(login_id)))

    async def settle(self, outcome: Outcome) -> None:
        """Store the outcome of a login."""
        seconds = max(1, outcome.expires_at - int(self._clock())) + OUTCOME_SECONDS
        body = msgspec.json.encode(outcome)
        with mapped():
            await self._redis.set(keyspace.login_outcome(outcome.id), body, ex=seconds)

    async def outcome(self, login_id: str) -> Outcome | None:
        """The outcome of a login; None if it is unknown or expired."""
        kept = await ask(lambda: self._redis.get(keyspace.login_outcome(login_id)))
        return read_json(kept, Outcome, kind="login outcome", name=login_id) if kept else None

    async def may_poll(self, login_id: str, *, seconds: int) -> bool:
        """Whether this call may poll; no other replica may for `seconds`."""
        key = keyspace.login_poll(login_id)
        with mapped():
            return bool(await self._redis.set(key, "1", nx=True, ex=max(1, seconds)))

    async def polled(self, login_id: str, *, pause: int) -> None:
        """The poll is over; the next one may follow after `pause` seconds."""
        with mapped():
            await self._redis.set(keyspace.login_poll(login_id), "1", ex=max(1, pause))

    def _open(self, sealed: object) -> PendingLogin | None:
        if not sealed:
            return None
        body = self._cipher.open_bytes(str(sealed).encode())
        if body is None:
            return None
        pending = read_json(body, PendingLogin, kind="pending login", name="")
        return pending if pending is not None and self._clock() < pending.expires_at else None


def login_id_of(secret: str) -> str:
    """The id of the login with this state or device secret; Redis never has the state itself."""
    return f"login_{hashlib.sha256(secret.encode()).hexdigest()[:32]}"
