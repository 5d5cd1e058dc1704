"""The single administrator: whether a password is set, setting the first one, changing it.

The first password comes from `ADMIN_PASSWORD` or is set with a setup token printed at start. HSETNX
decides between concurrent setups.
"""

import hashlib
import secrets
from collections.abc import Callable

from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, mapped
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.console.auth.passwords import Passwords, check_strength
from codex_proapi.console.errors import BadSignIn, Code, Conflict

SETUP_SECONDS = 24 * 3600
"""Lifetime of a printed setup token, in seconds."""

KNOWN_SECONDS = 1.0
"""Seconds for which a replica caches whether a password is set."""


class Administrator:
    """The administrator's password, shared by every replica."""

    def __init__(self, redis: Redis, passwords: Passwords, *, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._scripts = Scripts(redis, __package__)
        self._passwords = passwords
        self._clock = clock
        self._present = False
        self._known_until = 0.0

    def __repr__(self) -> str:
        return f"<Administrator {'with' if self._present else 'without'} a password>"

    async def has_password(self) -> bool:
        """Whether a login is required; cached, so a replica may be a second behind the others."""
        now = self._clock()
        if now >= self._known_until:
            key = keyspace.admin()
            present = bool(await ask(lambda: self._redis.hexists(key, "password")))
            self._knows(present=present)
        return self._present

    async def set_first(self, password: str) -> bool:
        """Set the first password; False if there is one already."""
        hashed = await self._passwords.hash(password)
        with mapped():
            won = bool(await self._redis.hsetnx(keyspace.admin(), "password", hashed))
        self._knows(present=True)
        return won

    async def issue_setup_token(self) -> str:
        """A token that can set the first password once; each replica prints its own."""
        token = secrets.token_urlsafe(32)
        now = int(self._clock())
        with mapped():
            fields = await self._redis.hgetall(keyspace.admin())
            stale = [
                str(name)
                for name, at in fields.items()
                if str(name).startswith("setup:") and _seconds(at) + SETUP_SECONDS <= now
            ]
            if stale:
                await self._redis.hdel(keyspace.admin(), *stale)
            await self._redis.hset(keyspace.admin(), _setup_field(token), str(now))
        return token

    async def set_up(self, token: str, password: str) -> None:
        """Set the first password with a setup token; of several at once exactly one wins."""
        # The token's digest is looked up, so no comparison can leak how much of it was right.
        fields = ["password", _setup_field(token)]
        kept, issued = await ask(lambda: self._redis.hmget(keyspace.admin(), fields))
        if kept:
            raise Conflict(Code.ALREADY_SET_UP)
        if issued is None or _seconds(issued) + SETUP_SECONDS <= self._clock():
            raise BadSignIn(Code.WRONG_SETUP_TOKEN)
        check_strength(password)
        if not await self.set_first(password):
            raise Conflict(Code.ALREADY_SET_UP)
        await self._forget_setup_tokens()

    async def verify(self, password: str) -> bool:
        """Whether this is the password; one hashed with other parameters is hashed again."""
        kept = await ask(lambda: self._redis.hget(keyspace.admin(), "password"))
        hashed = str(kept or "")
        fits = await self._passwords.verify(hashed, password)
        if fits and self._passwords.is_outdated(hashed):
            await self._scripts.run(
                "replace_password_hash",
                [keyspace.admin()],
                (hashed, await self._passwords.hash(password)),
            )
        return fits

    async def change(self, password: str) -> None:
        """Replace the password, durably; the caller has verified the old one."""
        check_strength(password)
        hashed = await self._passwords.hash(password)
        await self._scripts.run("set_password", [keyspace.admin()], [hashed], durably=True)
        self._knows(present=True)

    def _knows(self, *, present: bool) -> None:
        self._present = present
        self._known_until = self._clock() + KNOWN_SECONDS

    async def _forget_setup_tokens(self) -> None:
        with mapped():
            names = [str(name) for name in await self._redis.hkeys(keyspace.admin())]
            if stale := [name for name in names if name.startswith("setup:")]:
                await self._redis.hdel(keyspace.admin(), *stale)


def _seconds(value: object) -> int:
    """A stored time, seconds since the epoch; 0 if it cannot be read."""
    return int(str(value)) if str(value).isdecimal() else 0


def _setup_field(token: str) -> str:
    return f"setup:{hashlib.sha256(token.encode()).hexdigest()}"
