"""Admin tokens: sent by scripts as `Authorization: Bearer …` instead of a session.

Shown once; Redis has only the digest. A token has 256 random bits, so it needs no slow hash.
"""

import hashlib
import secrets
from collections.abc import Callable
from typing import Any

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, mapped
from codex_proapi.commons.runtime.stored_records import read_fields

PREFIX = "cpadm-"
"""Prefix of every admin token, by which scanners recognise one."""


class ScriptToken(msgspec.Struct, frozen=True, kw_only=True):
    """One admin token, without the token."""

    id: str
    """The first characters of its digest."""
    name: str
    """What its owner calls it."""
    prefix: str
    """The first characters of the token."""
    created_at: int
    """When it was made, seconds since the epoch."""
    expires_at: int = 0
    """When it ends, seconds since the epoch; 0 is never."""


class ScriptTokens:
    """Store of the admin tokens."""

    def __init__(self, redis: Redis, *, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._clock = clock

    def __repr__(self) -> str:
        return "<ScriptTokens>"

    async def create(self, name: str, *, expires_at: int = 0) -> tuple[ScriptToken, str]:
        """Make a token; the second value is shown once and kept nowhere."""
        secret = PREFIX + secrets.token_urlsafe(32)
        digest = _digest(secret)
        token = ScriptToken(
            id=digest[:12],
            name=name,
            prefix=secret[: len(PREFIX) + 4],
            created_at=int(self._clock()),
            expires_at=expires_at,
        )
        with mapped():
            pipe = self._redis.pipeline(transaction=True)
            fields: dict[Any, Any] = {k: str(v) for k, v in msgspec.structs.asdict(token).items()}
            pipe.hset(keyspace.admin_token(digest), mapping=fields)
            if expires_at:
                pipe.expireat(keyspace.admin_token(digest), expires_at)
            pipe.sadd(keyspace.admin_tokens(), digest)
            await pipe.execute()
        return token, secret

    async def find(self, secret: str) -> ScriptToken | None:
        """The token behind a secret, or None; looked up by digest, so nothing is compared."""
        if not secret.startswith(PREFIX):
            return None
        return await self._get(_digest(secret))

    async def lives(self, token_id: str) -> bool:
        """Whether a token is neither revoked nor expired."""
        return any(token.id == token_id for token in await self.all())

    async def all(self) -> list[ScriptToken]:
        """Every token, oldest first."""
        found = [token for digest in await self._digests() if (token := await self._get(digest))]
        return sorted(found, key=lambda token: (token.created_at, token.id))

    async def revoke(self, token_id: str) -> bool:
        """End a token on every replica at once; False if there is none."""
        digests = [digest for digest in await self._digests() if digest[:12] == token_id]
        if not digests:
            return False
        with mapped():
            pipe = self._redis.pipeline(transaction=True)
            pipe.delete(*(keyspace.admin_token(digest) for digest in digests))
            pipe.srem(keyspace.admin_tokens(), *digests)
            return bool((await pipe.execute())[0])

    async def _digests(self) -> list[str]:
        members = await ask(lambda: self._redis.smembers(keyspace.admin_tokens()))
        return sorted(str(digest) for digest in members)

    async def _get(self, digest: str) -> ScriptToken | None:
        fields = await ask(lambda: self._redis.hgetall(keyspace.admin_token(digest)))
        if not fields:
            return None
        token = read_fields(fields, ScriptToken, kind="script token", name=digest[:12])
        return None if token is None or 0 < token.expires_at <= self._clock() else token


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
