"""Sessions that are begun with an API key, kept in Redis for every console.

A session lets its browser read the figures of that key, and nothing else. It ends by itself, and with
the key: revoked, removed, expired, or given another secret. Redis has the digests of the cookie and
of the secret only.
"""

import hashlib
import secrets
from collections.abc import Callable

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.api_keys.store import ApiKey, KeyStore
from codex_proapi.commons.redis import operator_keys
from codex_proapi.commons.redis.clients import ask, mapped
from codex_proapi.commons.runtime.stored_records import read_json

IDLE_SECONDS = 30 * 60
"""A session unused for so long has ended."""
ABSOLUTE_SECONDS = 8 * 3600
"""No session lives longer, however busy."""
TOUCH_SECONDS = 15
"""How often at most the last use is written down."""
SID_LENGTH = 43
"""What `secrets.token_urlsafe(32)` makes."""


class KeySession(msgspec.Struct, frozen=True, kw_only=True):
    """One browser that was signed in with an API key."""

    key_id: str
    digest: str
    """Of the secret it was signed in with."""
    prefix: str
    """What the key began with then: it changes when the key gets another secret."""
    created_at: float
    """When it was signed in, seconds since the epoch."""
    seen_at: float
    """When it was last used, to a quarter of a minute."""

    @property
    def ends_at(self) -> float:
        """When it ends if it is not used again."""
        return min(self.seen_at + IDLE_SECONDS, self.created_at + ABSOLUTE_SECONDS)


class KeySessions:
    """Store of the sessions."""

    def __init__(self, redis: Redis, keys: KeyStore, *, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._keys = keys
        self._clock = clock

    def __repr__(self) -> str:
        return "<KeySessions>"

    async def begin(self, secret: str) -> tuple[str, ApiKey] | None:
        """Begin a session; returns its cookie and key. None for a secret that is not good."""
        now, key = self._clock(), await self._keys.find(secret)
        if key is None or key.revoked or key.expired(now):
            return None
        sid = secrets.token_urlsafe(32)
        session = KeySession(
            key_id=key.id,
            digest=_digest(secret),
            prefix=key.prefix,
            created_at=now,
            seen_at=now,
        )
        with mapped():
            await self._redis.set(_name(sid), msgspec.json.encode(session), ex=IDLE_SECONDS)
        return sid, key

    async def find(self, sid: str) -> ApiKey | None:
        """The key whose holder a cookie is of; None if it is none, or has ended. Extends it."""
        if len(sid) != SID_LENGTH:
            return None
        kept, now = await ask(lambda: self._redis.get(_name(sid))), self._clock()
        session = read_json(kept, KeySession, kind="key session", name="of a key") if kept else None
        if session is None or now >= session.ends_at:
            return None
        key = await self._keys.of_digest(session.digest)
        if key is None or not _is_of(session, key, now):
            await self.end(sid)
            return None
        if now - session.seen_at >= TOUCH_SECONDS:
            session = msgspec.structs.replace(session, seen_at=now)
            left = max(1, int(session.ends_at - now))
            with mapped():  # XX: a session ended a moment ago stays ended
                await self._redis.set(_name(sid), msgspec.json.encode(session), ex=left, xx=True)
        return key

    async def end(self, sid: str) -> bool:
        """End a session on every console; False if there is none."""
        with mapped():
            return bool(await self._redis.delete(_name(sid)))


def _is_of(session: KeySession, key: ApiKey, now: float) -> bool:
    """Whether the key is still the one the session was begun with, and good."""
    same = key.id == session.key_id and key.prefix == session.prefix
    return same and not key.revoked and not key.expired(now)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _name(sid: str) -> str:
    return operator_keys.key_session(_digest(sid))
