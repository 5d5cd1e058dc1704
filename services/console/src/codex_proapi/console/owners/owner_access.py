"""How an owner's browser gets in: a one-time invitation, and the one session it makes.

Invitation and session are one hash for each owner, so that a new invitation replaces the old one and
ends the session in one step, on every console. Links and cookies hold `owner.secret`; Redis has the
secret's digest only.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.redis import operator_keys
from codex_proapi.commons.redis.clients import ask, text
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.runtime.stored_records import read_fields
from codex_proapi.console.owners.owner_store import Owner, read_owner

INVITE_SECONDS = 3 * 86_400
"""How long an invitation can be opened."""
IDLE_SECONDS = 90 * 86_400
"""A session unused for so long has ended."""
ABSOLUTE_SECONDS = 365 * 86_400
"""No session lives longer, however often it is used."""
TOUCH_SECONDS = 60
"""How often at most the last use is written down."""
SECRET_LENGTH = 43
"""What `secrets.token_urlsafe(32)` makes."""


class OwnerAccess(msgspec.Struct, frozen=True, kw_only=True):
    """An owner's invitation and session, by their digests."""

    invite: str = ""
    """Of the invitation that waits to be opened; empty is none."""
    invite_ends: int = 0
    """When it ends, seconds since the epoch."""
    session: str = ""
    """Of the session; empty is none."""
    session_began: int = 0
    """When the invitation was opened, seconds since the epoch."""
    session_seen: int = 0
    """When the session was last used, to a minute."""
    agent: str = ""
    """The session's browser, as it calls itself; cut."""

    def invited(self, now: float) -> bool:
        """Whether an invitation waits to be opened."""
        return bool(self.invite) and now < self.invite_ends

    def signed_in(self, now: float) -> bool:
        """Whether a browser has a session."""
        return bool(self.session) and now < self.session_ends

    @property
    def session_ends(self) -> int:
        """When the session ends if it is not used again, seconds since the epoch."""
        return min(self.session_seen + IDLE_SECONDS, self.session_began + ABSOLUTE_SECONDS)


NONE = OwnerAccess()


class OwnerAccesses:
    """Store of the invitations and sessions of owners."""

    def __init__(self, redis: Redis, *, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._clock = clock
        self._scripts = Scripts(redis, __package__)

    def __repr__(self) -> str:
        return "<OwnerAccesses>"

    async def invite(self, owner_id: str) -> tuple[str, int] | None:
        """A token for one entry and when it ends; None if there is no such owner.

        It replaces an earlier invitation, and ends the owner's session.
        """
        token, ends = _new_token(owner_id), int(self._clock()) + INVITE_SECONDS
        args = [owner_id, _digest(token), ends, INVITE_SECONDS]
        made = await self._scripts.repeat("invite_owner", _keys(owner_id), args)
        return (token, ends) if made else None

    async def enter(self, token: str, *, agent: str) -> str:
        """Open an invitation; returns the session's cookie, or nothing if it is not (any more) good.

        Of several who open one at the same time one gets in.
        """
        owner_id = owner_id_in(token)
        if not owner_id:
            return ""
        sid = _new_token(owner_id)
        args = [
            *(owner_id, _digest(token), _digest(sid), int(self._clock()), IDLE_SECONDS),
            agent[:200],
        ]
        return sid if await self._scripts.repeat("enter_owner", _keys(owner_id), args) else ""

    async def find(self, sid: str, *, touch: bool = True) -> Owner | None:
        """The owner whose session a cookie is; None if it is none. Extends it unless told not to."""
        owner_id = owner_id_in(sid)
        if not owner_id:
            return None
        owner, access = await self._read(owner_id)
        now = self._clock()
        if owner is None or not access.signed_in(now):
            return None
        if not hmac.compare_digest(access.session, _digest(sid)):
            return None
        if touch and now - access.session_seen >= TOUCH_SECONDS:
            left = max(1, min(IDLE_SECONDS, access.session_began + ABSOLUTE_SECONDS - int(now)))
            args = [_digest(sid), int(now), left]
            await self._scripts.repeat("touch_owner", [operator_keys.owner_access(owner_id)], args)
        return owner

    async def end(self, owner_id: str) -> bool:
        """End an owner's session, or the invitation that waits, durably; False if there is neither."""
        keys = [operator_keys.owner_access(owner_id)]
        return bool(await self._scripts.run("remove_owner", keys, durably=True))

    async def all(self, owner_ids: list[str]) -> dict[str, OwnerAccess]:
        """Invitations and sessions by owner."""

        async def together() -> list[Any]:
            pipe = self._redis.pipeline(transaction=False)
            for owner_id in owner_ids:
                pipe.hgetall(operator_keys.owner_access(owner_id))
            replies: list[Any] = await pipe.execute()
            return replies

        replies = await ask(together) if owner_ids else []
        return {
            owner_id: _access(owner_id, fields)
            for owner_id, fields in zip(owner_ids, replies, strict=True)
        }

    async def _read(self, owner_id: str) -> tuple[Owner | None, OwnerAccess]:
        async def together() -> list[Any]:
            pipe = self._redis.pipeline(transaction=False)
            pipe.hget(operator_keys.owners(), owner_id)
            pipe.hgetall(operator_keys.owner_access(owner_id))
            replies: list[Any] = await pipe.execute()
            return replies

        body, fields = await ask(together)
        return read_owner(owner_id, body), _access(owner_id, fields)


def owner_id_in(token: str) -> str:
    """The owner an invitation or a cookie names; empty if it cannot be one of ours."""
    owner_id, _, secret = token.partition(".")
    plain = owner_id.startswith("own_") and owner_id.removeprefix("own_").isalnum()
    fits = len(secret) == SECRET_LENGTH and len(owner_id) <= SECRET_LENGTH
    return owner_id if plain and fits and token.isascii() else ""


def _access(owner_id: str, fields: Mapping[Any, Any]) -> OwnerAccess:
    return read_fields(fields, OwnerAccess, kind="owner access", name=owner_id) or NONE


def _keys(owner_id: str) -> list[str]:
    return [operator_keys.owners(), operator_keys.owner_access(owner_id)]


def _new_token(owner_id: str) -> str:
    return f"{owner_id}.{secrets.token_urlsafe(32)}"


def _digest(token: str) -> str:
    return hashlib.sha256(text(token).encode()).hexdigest()
