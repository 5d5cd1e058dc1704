"""The one round trip before upstream: what every replica must agree on, in one atomic look.

The survey decides nothing but the cursor; codex_proapi.commons.balancing chooses an account from it.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.accounts.model import Cooldown
from codex_proapi.commons.api_keys.fair_shares import FairShare
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import Scripts, mapped
from codex_proapi.commons.redis.multiplexed import MultiplexedConnection
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.limits.charge import Allowance, LimitCharge

PROMISED = "~"
"""Begins the account of a conversation that it has not answered yet."""

Hook: TypeAlias = Callable[[float, StoreUnavailable | None], None]
"""Told the seconds that a look took, and why it failed if it did."""

_decode_cooldown = msgspec.json.Decoder(Cooldown).decode


class PoolSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What Redis said in one moment."""

    now: float
    """Redis' clock, seconds since the epoch: the same for every replica."""
    accounts_version: int
    """For `AccountView.refresh_if`."""
    keys_version: int
    """For `KeyView.confirm`."""
    cursor: int | None
    """Our turn in the round robin; None when the affine account is free."""
    affine: str | None
    """The account this conversation is tied to, if it is eligible and not cooling."""
    promised: bool = False
    """Whether that account was chosen for the conversation but has not answered it yet."""
    cooldowns: dict[str, Cooldown] = {}
    """Who is passed over, wholly or for the model asked for, the longer of both."""
    allowance: Allowance | None = None
    """What became of the draw; None without one, or if the keys have changed: then nothing is drawn."""


class SnapshotReader:
    """Takes surveys (over the line, if there is one), and ties conversations to accounts."""

    def __init__(
        self,
        redis: Redis,
        *,
        line: MultiplexedConnection | None = None,
        clock: Callable[[], float] = time.time,
        hook: Hook = lambda _seconds, _error: None,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._hook = hook
        self._scripts = Scripts(redis, line=line)
        self._call: Callable[..., Awaitable[Any]] = line.call if line else redis.execute_command
        self._keys = [
            *(keyspace.accounts_version(), keyspace.keys_version()),
            *(keyspace.cursor(), keyspace.cooldowns()),
        ]

    def __repr__(self) -> str:
        return "<SnapshotReader>"

    async def survey(
        self,
        *,
        account_ids: Sequence[str],
        model: str,
        affinity: str | None = None,
        draw: LimitCharge | None = None,
        fair_share: FairShare | None = None,
    ) -> PoolSnapshot:
        """Look once. `affinity` is the conversation's fingerprint; None asks for the next turn.

        `draw` is made and `fair_share` claimed with the same look; where one is refused, nothing else
        is told, and nothing drawn or charged.

        StoreUnavailable means nobody can be admitted: the choice is to fail closed.
        """
        keys = [*self._keys, keyspace.affinity(affinity or ""), keyspace.fair_shares()]
        lifetime = 0 if affinity is None else keyspace.AFFINITY_SECONDS
        args = [
            model,
            lifetime,
            f" {' '.join(account_ids)} ",
            fair_share.claim if fair_share else "",
        ]
        if draw is not None:
            at = self._clock()
            keys += draw.keys(at)
            args += draw.arguments(at)
        told = await self._read(keys, args)
        seconds, micros, accounts, api_keys, cursor, affine, cooling, drawn, wait = told
        now = seconds + micros / 1e6
        if fair_share is not None and wait >= 0:
            fair_share.take(wait / 1000)
        return PoolSnapshot(
            now=now,
            accounts_version=accounts,
            keys_version=api_keys,
            cursor=None if cursor < 0 else cursor,
            affine=affine.removeprefix(PROMISED) or None,
            promised=affine.startswith(PROMISED),
            cooldowns=_cooldowns(cooling) if cooling else {},
            allowance=draw.take(drawn, now) if draw is not None and drawn else None,
        )

    async def versions(self) -> tuple[int, int]:
        """The versions of accounts and keys, as a survey brings them, without a turn."""
        with mapped():
            found = await self._call("MGET", *self._keys[:2])
        accounts, keys = found
        return int(accounts or 0), int(keys or 0)

    async def _read(self, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """What the script says, with the time it took told to the hook."""
        began = time.monotonic()
        try:
            told = await self._scripts.repeat("survey", keys, args)
        except StoreUnavailable as error:
            self._hook(time.monotonic() - began, error)
            raise
        self._hook(time.monotonic() - began, None)
        return told

    async def tie(self, fingerprints: dict[str, str]) -> None:
        """Tie conversations (by fingerprint) to the accounts that answered them."""
        with mapped():
            pipe = self._redis.pipeline(transaction=False)
            for fingerprint, account_id in fingerprints.items():
                key = keyspace.affinity(fingerprint)
                pipe.set(key, account_id, ex=keyspace.AFFINITY_SECONDS)
            await pipe.execute()

    async def promise(self, fingerprints: dict[str, str]) -> None:
        """Let conversations without an account follow the one just chosen, until one answers."""
        with mapped():
            pipe = self._redis.pipeline(transaction=False)
            for fingerprint, account_id in fingerprints.items():
                key = keyspace.affinity(fingerprint)
                pipe.set(key, PROMISED + account_id, ex=keyspace.PROMISE_SECONDS, nx=True)
            await pipe.execute()


def _cooldowns(cooling: Sequence[str | int]) -> dict[str, Cooldown]:
    """From the flat triples of the script; where an account has two, the later end counts."""
    found: dict[str, Cooldown] = {}
    for account_id, json in zip(cooling[::3], cooling[2::3], strict=True):
        cooldown = _decode_cooldown(str(json))
        held = found.get(str(account_id))
        if held is None or cooldown.until > held.until:
            found[str(account_id)] = cooldown
    return found
