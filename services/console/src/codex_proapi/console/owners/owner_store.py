"""The owners of accounts: people who lend the pool their ChatGPT accounts, on terms of their own."""

import secrets

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.redis import operator_keys
from codex_proapi.commons.redis.clients import ask, mapped, text
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.runtime.stored_records import read_json

MOST_OWNERS = 500
"""Owners there can be."""


class Owner(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One owner. Which accounts are his stands with the accounts."""

    id: str
    """`own_…`; in logs, the audit and the accounts."""
    name: str
    """What the administrator calls him."""
    created_at: int = 0
    """When he was added, seconds since the epoch."""


class OwnerStore:
    """Store of the owners."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = Scripts(redis, __package__)

    def __repr__(self) -> str:
        return "<OwnerStore>"

    async def all(self) -> list[Owner]:
        """Every owner, oldest first; one this version cannot read is left out."""
        kept = await ask(lambda: self._redis.hgetall(operator_keys.owners()))
        found = [one for name, body in kept.items() if (one := read_owner(text(name), body))]
        return sorted(found, key=lambda one: (one.created_at, one.id))

    async def get(self, owner_id: str) -> Owner | None:
        """One owner, or None."""
        return read_owner(
            owner_id, await ask(lambda: self._redis.hget(operator_keys.owners(), owner_id))
        )

    async def put(self, owner: Owner) -> None:
        """Store a new owner."""
        with mapped():
            await self._redis.hset(operator_keys.owners(), owner.id, _written(owner))

    async def rename(self, owner: Owner) -> bool:
        """Store an owner's new name; False if he was removed."""
        args = [owner.id, _written(owner)]
        return bool(await self._scripts.repeat("rename_owner", [operator_keys.owners()], args))

    async def remove(self, owner_id: str) -> bool:
        """Delete an owner with his invitation and session, durably; False if there is none."""
        keys = [operator_keys.owner_access(owner_id), operator_keys.owners()]
        return bool(await self._scripts.run("remove_owner", keys, [owner_id], durably=True))


def new_owner(name: str, *, now: int) -> Owner:
    """An owner with an id of his own."""
    return Owner(id=f"own_{secrets.token_hex(8)}", name=name, created_at=now)


def read_owner(owner_id: str, body: object) -> Owner | None:
    """An owner from the store; None if there is none, or this version cannot read it."""
    return read_json(text(body), Owner, kind="owner", name=owner_id) if body else None


def _written(owner: Owner) -> str:
    return msgspec.json.encode(owner).decode()
