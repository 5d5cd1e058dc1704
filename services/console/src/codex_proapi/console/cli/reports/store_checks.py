"""Checks of `doctor` on Redis and on what is stored in it."""

import time
from collections.abc import Mapping
from typing import Any

from redis.exceptions import NoPermissionError

from codex_proapi.commons.accounts.model import AccountState
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, text
from codex_proapi.commons.runtime.errors import StoreRefused, StoreUnavailable
from codex_proapi.console.cli.opened_store import OpenedStore
from codex_proapi.console.cli.reports.findings import Finding, failure, fine, warning

OLDEST = 7
"""The oldest major version of Redis that is supported."""
SECONDS_APART = 5.0
"""Clocks further apart make tokens and leases end at the wrong time."""
FULL_SHARE = 0.8
"""Share of Redis' maxmemory from which it is worth a word."""
FULL = 100
"""Percent of it from which Redis takes nothing more."""

UNFINISHED = warning(
    "restore",
    "a restore or migration is under way, or was ended on its way; nothing of it took place yet",
    "where none is under way, do it again; what it left is gone after a day",
)


async def store_findings(store: OpenedStore) -> list[Finding]:
    """Redis, its clock and memory, the encryption keys, the accounts, and who runs."""
    unfinished = await ask(lambda: store.redis.exists(keyspace.restore()))
    return [
        *await _redis(store),
        await _keys_fit(store),
        *([UNFINISHED] if unfinished else []),
        *await _contents(store),
    ]


async def _redis(store: OpenedStore) -> list[Finding]:
    try:
        info: dict[str, Any] = await ask(store.redis.info)
    except StoreUnavailable as error:
        if not isinstance(error.__cause__, NoPermissionError):
            raise
        cure = "allow its user INFO (ACL SETUSER … +info), or look at both yourself"
        return [
            fine("redis", "it answers"),
            warning(
                "persistence", "its user may not ask for persistence, memory and version", cure
            ),
            await _clock(store),
        ]
    return [*_told(info), await _clock(store)]


def _told(info: Mapping[str, Any]) -> list[Finding]:
    """Version, persistence and memory, as Redis' INFO tells them."""
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version") or info.get("redis_version") or "?")
    found = [fine("redis", f"{name} {version} answers")]
    major = version.partition(".")[0]
    if major.isdecimal() and int(major) < OLDEST:
        found[0] = failure("redis", f"{name} {version} answers", "upgrade to Redis 7 or Valkey 8")
    if not int(info.get("aof_enabled", 0)):
        cure = "switch on appendonly: a refreshed token that is lost is an account that must sign in again"
        found.append(warning("persistence", "the append-only file is off", cure))
    elif info.get("aof_last_write_status", "ok") != "ok":
        cure = "make room on its disk, and do not restart it before: RedisNotPersisting in docs/running.md"
        found.append(failure("persistence", "its last write to disk failed", cure))
    else:
        found.append(fine("persistence", "every write is appended to a file"))
    policy, most = str(info.get("maxmemory_policy", "")), int(info.get("maxmemory", 0))
    if policy not in {"", "noeviction"}:
        found.append(
            failure(
                "memory",
                f"maxmemory-policy is {policy}",
                "set it to noeviction: nothing of ours may go",
            )
        )
    elif most and int(info.get("used_memory", 0)) > FULL_SHARE * most:
        share = 100 * int(info["used_memory"]) // most
        told = f"{share} % of maxmemory ({most >> 20} MiB) are used"
        cure = "raise maxmemory, or keep usage for fewer days: a full one refuses every request"
        found.append((failure if share >= FULL else warning)("memory", told, cure))
    else:
        told = f"of {most >> 20} MiB" if most else "without a limit"
        used = int(info.get("used_memory", 0)) >> 20
        found.append(fine("memory", f"{used} MiB {told} are used, nothing is evicted"))
    return found


async def _clock(store: OpenedStore) -> Finding:
    apart = abs(await store.replicas.now() - time.time())
    if apart < SECONDS_APART:
        return fine("clock", "Redis and this machine agree")
    return warning("clock", f"Redis and this machine are {apart:.0f} s apart", "let NTP set both")


async def _keys_fit(store: OpenedStore) -> Finding:
    try:
        await store.check.check()
    except StoreRefused as refused:
        return failure(
            "encryption keys", str(refused), "give it the keys of its gateways and consoles"
        )
    return fine("encryption keys", "they open what is stored")


async def _contents(store: OpenedStore) -> list[Finding]:
    accounts = await store.accounts.list()
    active = [a for a in accounts if a.state is AccountState.ACTIVE and not a.paused]
    lost = [a for a in accounts if a.state is AccountState.REVOKED]
    found = [fine("accounts", f"{len(active)} of {len(accounts)} active")]
    if not accounts:
        found = [
            warning(
                "accounts", "none yet", "add one in the console, or `codex-proapi accounts import`"
            )
        ]
    elif not active:
        found = [
            failure(
                "accounts", f"none of {len(accounts)} is active", "resume one or sign one in again"
            )
        ]
    if lost:
        names = ", ".join(account.name or account.id for account in lost[:5])
        found.append(
            warning(
                "accounts",
                f"{len(lost)} must sign in again, or need a new token: {names}",
                "do so in the console; a token also by `codex-proapi accounts add-token`",
            )
        )
    gateways = [r for r in await store.replicas.all() if r.service == "gateway"]
    versions = sorted({text(replica.version) for replica in gateways})
    if not gateways:
        found.append(
            warning(
                "gateways", "none is running", "start one: `codex-proapi serve`, or your deployment"
            )
        )
    elif len(versions) > 1:
        found.append(
            warning(
                "gateways", f"versions {', '.join(versions)} run side by side", "finish the upgrade"
            )
        )
    else:
        found.append(fine("gateways", f"{len(gateways)} running, version {versions[0]}"))
    return found
