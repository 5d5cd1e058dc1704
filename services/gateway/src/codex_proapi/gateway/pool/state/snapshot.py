"""The snapshot: the pool's shared state, read in the one round trip to Redis before the upstream call.

One script reads it atomically, advances the round robin's cursor, and makes the charge to the key's
limits and fair share. `commons.balancing` selects an account from it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.accounts.cooldowns import FORMS as COOLDOWN_FORMS
from codex_proapi.commons.accounts.model import Cooldown
from codex_proapi.commons.api_keys.fair_shares import FairShare
from codex_proapi.commons.redis import keyspace, operator_keys
from codex_proapi.commons.redis.clients import REDIS_ERRORS, mapped
from codex_proapi.commons.redis.multiplexed import KeptReply, MultiplexedConnection
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.redis.type_repair import Form, TypeRepair
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.tasks import finished
from codex_proapi.gateway.accounting.affinity_writer import TENTATIVE
from codex_proapi.gateway.limits.limit_charge import Allowance, LimitCharge
from codex_proapi.gateway.pool.health.cooldown_cache import CooldownCache
from codex_proapi.gateway.quota.newest_readings import NewestReadings

_SHARED_FORMS = {
    keyspace.accounts_version(): Form.VERSION,
    keyspace.keys_version(): Form.VERSION,
    keyspace.cursor(): Form.COUNTER,
    keyspace.fair_shares(): Form.HASH,
    operator_keys.quota_changes(): Form.SORTED_SET,
    **COOLDOWN_FORMS,
}
"""The forms of what all requests share."""


class PoolSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The shared state of the pool at one time."""

    now: float
    """Redis' clock, seconds since the epoch: the same for every replica."""
    accounts_version: int
    """Version of the accounts, for `AccountView.refresh_if`."""
    keys_version: int
    """Version of the API keys, for `KeyView.confirm`."""
    cursor: int | None
    """Position in the round robin; None if the affine account is available."""
    affine: str | None
    """Id of the account the conversation is tied to, if it is eligible and not in cooldown."""
    tentative: bool = False
    """Whether that account was selected for the conversation but has not answered it yet."""
    renewed: bool = False
    """Whether Redis holds that tie, and has renewed its lifetime."""
    cooldowns: Mapping[str, Cooldown] = {}
    """Cooldown by account id, of the account or of the model, whichever ends later.

    The same object as in the last snapshot for the model, unless something has changed.
    """
    allowance: Allowance | None = None
    """Result of the charge; None without one, or if the keys changed: then nothing was charged."""


class SnapshotRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of a snapshot."""

    account_ids: Sequence[str] | None = None
    """Ids of the only accounts that the conversation may stay with; None for any."""
    excluded: Sequence[str] = ()
    """Ids of accounts that it may not stay with, where `account_ids` is None."""
    model: str
    """The model to be sent, for cooldowns that hold for one model."""
    affinity: str | None = None
    """The conversation's fingerprint; None to advance the round robin without affinity."""
    charge: LimitCharge | None = None
    """The charge to the key's limits, if it is still to be made."""
    fair_share: FairShare | None = None
    """The claim to the key's fair share, while the pool is scarce."""
    newest: NewestReadings | None = None
    """What is to be as new as Redis has it of the quotas of which owners keep a share."""
    at: float = msgspec.field(default_factory=time.time)
    """When it is made, seconds since the epoch by the shared clock."""

    def may_stay(self, account_id: str) -> bool:
        """Whether the conversation may stay with an account."""
        if self.account_ids is not None:
            return account_id in self.account_ids
        return account_id not in self.excluded


class SnapshotSource(Protocol):
    """Source of snapshots: Redis, or memory while Redis is away."""

    async def read(self, request: SnapshotRequest) -> PoolSnapshot:
        """The pool as it is now. Raises StoreUnavailable."""


class SnapshotReader:
    """Reads snapshots from Redis, over the multiplexed connection if there is one.

    Args:
        redis: the client that reads them without one.
        multiplexed: that connection.
        took: called with the seconds that each read took.
        failed: called for each that failed.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        multiplexed: MultiplexedConnection | None = None,
        took: Callable[[float], object] = lambda _seconds: None,
        failed: Callable[[], object] = lambda: None,
    ) -> None:
        self._redis = redis
        self._cooldowns = CooldownCache()
        self._took = took
        self._failed = failed
        self._scripts = Scripts(redis, __package__, connection=multiplexed)
        self._repair = TypeRepair(redis)
        self._call: Callable[..., Awaitable[Any]] = (
            multiplexed.call if multiplexed else redis.execute_command
        )
        self._keys = [
            *(keyspace.accounts_version(), keyspace.keys_version()),
            *(keyspace.cursor(), keyspace.cooldowns()),
        ]
        self._tie = keyspace.affinity("")
        self._late_keys = [
            *(keyspace.fair_shares(), keyspace.cooldowns_version()),
            operator_keys.quota_changes(),
        ]

    def __repr__(self) -> str:
        return "<SnapshotReader>"

    def cooldowns(self, model: str, now: float) -> Mapping[str, Cooldown]:
        """The cooldowns for a model as last read, by account id; `now` is seconds since the epoch."""
        return self._cooldowns.of(model, now)

    async def read(self, request: SnapshotRequest) -> PoolSnapshot:
        """Read one snapshot, in one script.

        The charge and the fair share are made in the same script; if one of them is refused the
        snapshot contains nothing else, and neither is made.

        Raises:
            StoreUnavailable: Redis did not answer; no request may be admitted.
        """
        affinity, charge, fair_share = request.affinity, request.charge, request.fair_share
        # The accounts that the conversation may stay with, as the script reads them.
        if request.account_ids is not None:
            stay = f"+ {' '.join(request.account_ids)} "
        else:
            stay = f"- {' '.join(request.excluded)} " if request.excluded else ""
        keys = [*self._keys, self._tie + (affinity or ""), *self._late_keys]
        args = [
            request.model,
            0 if affinity is None else keyspace.AFFINITY_SECONDS,
            stay,
            self._cooldowns.version(request.at),
            fair_share.claim() if fair_share else "",
            request.newest.wanted() if request.newest else "",
        ]
        if charge is not None:
            charge_keys, charge_args = charge.script(request.at)
            keys += charge_keys
            args += charge_args
            charge.uncertain = True
        began = time.monotonic()
        if charge is None and fair_share is None:
            asked = self._scripts.start("snapshot", keys, args)
        else:
            asked = self._scripts.start_kept("snapshot", keys, args)
        try:
            reply = await asked
        except asyncio.CancelledError:
            # What was charged without anybody knowing would be held until it expires.
            if isinstance(asked, KeptReply) and asked.came:
                self._snapshot(asked.result(), request)
            raise
        except REDIS_ERRORS as error:
            return await finished(self._recovered(error, keys, args, request, began=began))
        self._took(time.monotonic() - began)
        return self._snapshot(reply, request)

    async def _recovered(
        self,
        error: Exception,
        keys: Sequence[str],
        args: Sequence[Any],
        request: SnapshotRequest,
        *,
        began: float,
    ) -> PoolSnapshot:
        """Run the script again after an error, if it may help: also where a value had another type."""
        try:
            try:
                reply = await self._scripts.recover(error, "snapshot", keys, args)
            except StoreUnavailable as refused:
                if not await self._repair.repair(refused, _forms(keys)):
                    raise
                reply = await self._scripts.repeat("snapshot", keys, args)
        except StoreUnavailable:
            self._failed()
            raise
        finally:
            self._took(time.monotonic() - began)
        return self._snapshot(reply, request)

    def _snapshot(self, reply: Sequence[Any], request: SnapshotRequest) -> PoolSnapshot:
        """Decode the script's reply."""
        charge, fair_share = request.charge, request.fair_share
        (
            seconds,
            micros,
            accounts,
            api_keys,
            cursor,
            affine,
            version,
            cooling,
            drawn,
            wait,
            quotas,
        ) = reply
        now = seconds + micros / 1e6
        if cooling is not None:
            self._cooldowns.replace(version, cooling, now=now)
        if request.newest is not None and quotas:
            request.newest.take(quotas)
        if fair_share is not None and wait >= 0:
            fair_share.take(wait / 1000)
        return PoolSnapshot(
            now=now,
            accounts_version=accounts,
            keys_version=api_keys,
            cursor=None if cursor < 0 else cursor,
            affine=affine.removeprefix(TENTATIVE) or None,
            tentative=affine.startswith(TENTATIVE),
            renewed=affine != "",
            cooldowns=self._cooldowns.of(request.model, now),
            allowance=charge.take(drawn, now) if charge is not None and drawn else None,
        )

    @property
    def pool_version(self) -> str:
        """Version of cooldowns and accounts as of the last snapshot; empty before the first one."""
        return self._cooldowns.read_version

    async def read_pool_version(self) -> str:
        """Read that version, without a snapshot. Raises StoreUnavailable."""
        with mapped():
            cooldowns, accounts = await self._call(
                "MGET", keyspace.cooldowns_version(), keyspace.accounts_version()
            )
        return f"{cooldowns or 0} {accounts or 0}"

    async def versions(self) -> tuple[int, int]:
        """The versions of accounts and keys, without advancing the round robin."""
        names = self._keys[:2]
        with mapped():
            found = await self._call("MGET", *names)
        if all(value is not None and value.isdecimal() for value in found):
            return int(found[0]), int(found[1])
        accounts, keys = [await self._repair.version(name) for name in names]
        return accounts, keys


def _forms(keys: Sequence[str]) -> Mapping[str, Form]:
    """The forms of the keys that can be made anew: not the tie, which may be of any, nor usage."""
    charged = (Form.SORTED_SET, Form.HASH, Form.SORTED_SET)
    return {**_SHARED_FORMS, **dict(zip(keys[8:11], charged, strict=False))}
