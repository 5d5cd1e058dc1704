"""Admin tokens: sent by scripts as `Authorization: Bearer …` instead of a session.

Shown once; Redis has only the digest. A token has 256 random bits, so it needs no slow hash.
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, mapped
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.redis.stored_reads import StoredRead, read_each
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
        self._scripts = Scripts(redis, __package__)

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
        found = await self._read([_digest(secret)])
        return found[0] if found else None

    async def lives(self, token_id: str) -> bool:
        """Whether a token is neither revoked nor expired."""
        meant = [digest for digest in await self._digests() if digest[:12] == token_id]
        return bool(await self._read(meant))

    async def all(self) -> list[ScriptToken]:
        """Every token, oldest first."""
        found = await self._read(await self._digests())
        return sorted(found, key=lambda token: (token.created_at, token.id))

    async def revoke(self, token_id: str) -> bool:
        """End a token on every replica at once, durably; False if there is none."""
        digests = [digest for digest in await self._digests() if digest[:12] == token_id]
        if not digests:
            return False
        keys = [keyspace.admin_tokens(), *map(keyspace.admin_token, digests)]
        return bool(await self._scripts.run("revoke_token", keys, digests, durably=True))

    async def _digests(self) -> list[str]:
        members = await ask(lambda: self._redis.smembers(keyspace.admin_tokens()))
        return sorted(str(digest) for digest in members)

    async def _read(self, digests: Sequence[str]) -> list[ScriptToken]:
        """Those of some tokens that are neither revoked nor expired, in one round trip."""
        reads = [
            StoredRead("script token", digest[:12], ("HGETALL", keyspace.admin_token(digest)))
            for digest in digests
        ]
        kept = await read_each(self._redis, reads)
        read = [
            read_fields(fields, ScriptToken, kind="script token", name=digest[:12])
            for digest, fields in zip(digests, kept, strict=True)
            if fields
        ]
        now = self._clock()
        return [each for each in read if each and not 0 < each.expires_at <= now]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
