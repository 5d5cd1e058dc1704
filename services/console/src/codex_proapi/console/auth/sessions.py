"""Administrators' sessions, kept in Redis so that every replica knows and can end them.

The cookie has a random id; Redis has only its digest, so reading Redis reveals no session. A session
knows how often everybody had been signed out when its sign-in began: one that was under way during a
sign-out of everybody, perhaps with a password that holds no longer, has ended when it begins.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, mapped
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.redis.stored_reads import StoredRead, read_each
from codex_proapi.commons.runtime.stored_records import read_json

IDLE_SECONDS = 30 * 60
"""A session unused for so long has ended."""
ABSOLUTE_SECONDS = 12 * 3600
"""No session lives longer, however busy."""
SIGN_OUTS = "sign_outs"
"""The field beside the administrator's password that counts how often everybody was signed out."""
TOUCH_SECONDS = 15
"""How often at most the last use is written down."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One signed-in browser."""

    id: str
    """The id's digest; safe to show, of no use as a cookie."""
    created_at: float
    """When it was signed in, seconds since the epoch."""
    seen_at: float
    """When it was last used, to a quarter of a minute."""
    ip: str
    """Address it was signed in from."""
    agent: str
    """Browser, as it calls itself; cut."""
    sign_outs: int = 0
    """How often everybody had been signed out when its sign-in began."""

    @property
    def ends_at(self) -> float:
        """When it ends if it is not used again."""
        return min(self.seen_at + IDLE_SECONDS, self.created_at + ABSOLUTE_SECONDS)


class Sessions:
    """Store of the sessions."""

    def __init__(self, redis: Redis, *, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._clock = clock
        self._scripts = Scripts(redis, __package__)

    def __repr__(self) -> str:
        return "<Sessions>"

    async def sign_outs(self) -> int:
        """How often everybody was signed out; read before a password is verified."""
        return _count(await ask(lambda: self._redis.hget(keyspace.admin(), SIGN_OUTS)))

    async def begin(self, *, ip: str, agent: str, sign_outs: int) -> tuple[str, Session]:
        """Create a session; returns the id for the cookie, and the session.

        Args:
            ip: Address of the browser.
            agent: What it calls itself.
            sign_outs: What `sign_outs()` said before the sign-in was checked.
        """
        sid, now = new_sid(), self._clock()
        session = Session(
            id=digest_of(sid),
            created_at=now,
            seen_at=now,
            ip=ip,
            agent=agent[:200],
            sign_outs=sign_outs,
        )
        with mapped():
            pipe = self._redis.pipeline(transaction=True)
            pipe.set(keyspace.session(session.id), _json(session), ex=IDLE_SECONDS)
            pipe.zremrangebyscore(keyspace.sessions(), "-inf", now)
            pipe.zadd(keyspace.sessions(), {session.id: now + ABSOLUTE_SECONDS})
            await pipe.execute()
        return sid, session

    async def find(self, sid: str, *, touch: bool = True) -> Session | None:
        """The session of a cookie; None if unknown or ended. Extends it unless `touch` is false."""
        session = await self._get(digest_of(sid))
        if session is None or not touch:
            return session
        now = self._clock()
        if now - session.seen_at < TOUCH_SECONDS:
            return session
        session = msgspec.structs.replace(session, seen_at=now)
        left = max(1, int(session.ends_at - now))
        with mapped():  # XX: a session ended a moment ago stays ended
            await self._redis.set(keyspace.session(session.id), _json(session), ex=left, xx=True)
        return session

    async def lives(self, session_id: str) -> bool:
        """Whether a session has not ended; does not extend it."""
        return await self._get(session_id) is not None

    async def end(self, session_id: str) -> bool:
        """End one session on every replica; False if there is none."""
        return bool(await self._end([session_id], counted=""))

    async def end_all(self) -> int:
        """End every session on every replica, also one that is being begun; returns how many were."""
        return await self._end(await self._ids(), counted=SIGN_OUTS)

    async def _end(self, ids: Sequence[str], *, counted: str) -> int:
        """End sessions, durably: a failover brings none back."""
        keys = [keyspace.sessions(), keyspace.admin(), *map(keyspace.session, ids)]
        args = [counted, *ids]
        return int(await self._scripts.run("end_sessions", keys, args, durably=True))

    async def all(self) -> list[Session]:
        """Every session that has not ended, the one used last first."""
        found = [session for session in await self._read(await self._ids()) if session]
        return sorted(found, key=lambda session: -session.seen_at)

    async def _ids(self) -> list[str]:
        return [str(i) for i in await ask(lambda: self._redis.zrange(keyspace.sessions(), 0, -1))]

    async def _get(self, session_id: str) -> Session | None:
        (session,) = await self._read([session_id])
        return session

    async def _read(self, ids: Sequence[str]) -> list[Session | None]:
        """The sessions with some ids, in one round trip; None for each that has ended."""
        reads = [StoredRead("administrator", "", ("HGET", keyspace.admin(), SIGN_OUTS))]
        reads += [StoredRead("session", i[:12], ("GET", keyspace.session(i))) for i in ids]
        sign_outs, *kept = await read_each(self._redis, reads)
        now, count = self._clock(), _count(sign_outs)
        found = [
            read_json(body, Session, kind="session", name=session_id[:12]) if body else None
            for session_id, body in zip(ids, kept, strict=True)
        ]
        return [
            each if each is not None and each.sign_outs == count and now < each.ends_at else None
            for each in found
        ]


def new_sid() -> str:
    """A random session id."""
    return secrets.token_urlsafe(32)


def digest_of(sid: str) -> str:
    """The digest under which Redis has a session id."""
    return hashlib.sha256(sid.encode()).hexdigest()


def csrf_token(sid: str) -> str:
    """The CSRF token of a session, derived from its id."""
    return hmac.new(sid.encode(), b"csrf", hashlib.sha256).hexdigest()


def _count(value: object) -> int:
    """A stored count; 0 where there is none, or it cannot be read."""
    return int(str(value)) if str(value).isdecimal() else 0


def _json(session: Session) -> bytes:
    return msgspec.json.encode(session)
