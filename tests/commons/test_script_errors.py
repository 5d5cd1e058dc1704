"""Scripts that meet a key of another type: it is replaced, or an error and nothing has changed."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis
from support.logins import a_login
from support.redis_dump import dump
from support.stored_forms import CIPHER

from codex_proapi.commons.accounts.cooldowns import CooldownStore, Opening
from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.accounts.quota_store import QuotaStore, SeenQuota
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.type_repair import TypeRepair
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.log_stream import LogEntry, LogKind, LogStream

FAR = 4_000_000_000
ENTRY = LogEntry(at=1.0, kind=LogKind.ACCOUNT, event="account.cooled")


class Scene:
    """One account with a cooldown, one API key, and a log that was cleared and goes on."""

    def __init__(self, redis: Redis) -> None:
        self.accounts, self.keys = AccountStore(redis, CIPHER), KeyStore(redis, CIPHER)
        self.cooldowns, self.logs = CooldownStore(redis), LogStream(redis)
        self.account_id = self.key_id = ""
        self.held: Any = None

    async def set(self) -> None:
        self.account_id = (await self.accounts.add(a_login(exp=FAR))).id
        self.held = await self.accounts.credential(self.account_id)
        self.key_id = (await self.keys.create("laptop"))[0].id
        await self.cool(CooldownReason.QUOTA)
        await self.logs.append(ENTRY)
        await self.logs.clear()
        await self.logs.append(ENTRY)

    async def cool(self, reason: CooldownReason) -> None:
        cooldown = Cooldown(until=FAR, reason=reason, since=1.0)
        await self.cooldowns.cool(self.account_id, cooldown)

    async def reseal(self) -> None:
        """The script alone: the store reads the credential first, and fails there."""
        args = [self.held.generation, "sealed"]
        await self.accounts._scripts.repeat("reseal", [keyspace.credential(self.account_id)], args)

    async def fault(self) -> None:
        opening = Opening(now=FAR + 1.0, faults=1, first_seconds=30.0, most_seconds=300.0)
        await self.cooldowns.fault(self.account_id, opening)


Run = Callable[[Scene], Awaitable[Any]]
ACCOUNT = ["accounts", "accounts-version", "account", "credential", "cooldowns"]
CASES: dict[str, tuple[Run, list[str]]] = {
    "add_account": (lambda s: s.accounts.add(a_login(exp=FAR, refresh_token="rt_new")), ACCOUNT),
    "save_credential": (
        lambda s: s.accounts.save_credential(s.held, expected=s.held.generation),
        ACCOUNT[1:],
    ),
    "change_account": (lambda s: s.accounts.pause(s.account_id), ["accounts-version", "account"]),
    "remove_account": (
        lambda s: s.accounts.remove(s.account_id),
        ["accounts", "accounts-version", "cooldowns"],
    ),
    "cool": (lambda s: s.cool(CooldownReason.RATE), ["cooldowns", "cooldowns-version"]),
    "fault": (lambda s: s.fault(), ["cooldowns", "cooldowns-version", "faults"]),
    "clear_cooldowns": (
        lambda s: s.cooldowns.clear(s.account_id),
        ["cooldowns", "cooldowns-version"],
    ),
    "reseal": (lambda s: s.reseal(), ["credential"]),
    "keep_key": (lambda s: s.keys.rotate(s.key_id), ["keys", "keys-version", "key"]),
    "change_key": (lambda s: s.keys.revoke(s.key_id), ["keys-version"]),
    "remove_key": (lambda s: s.keys.remove(s.key_id), ["keys", "keys-version", "key"]),
    "clear_logs": (lambda s: s.logs.clear(), ["logs"]),
    "restore_logs": (lambda s: s.logs.restore(), ["logs", "cleared-logs"]),
}


PAIRS = [(name, key) for name, (_, keys) in CASES.items() for key in keys]
VERSIONS = ["accounts-version", "keys-version", "cooldowns-version"]
REPLACED = [
    *((script, key) for script, key in PAIRS if key in [*VERSIONS, "cooldowns", "faults"]),
    *(("add_account", key) for key in ("account", "credential")),
]
"""What can be made anew: shared state, and the records of an account that signs in again."""


async def poisoned(scene: Scene, redis: Redis, key: str) -> str:
    """Make a key a list; its name."""
    await scene.set()
    subject = {"account": scene.account_id, "credential": scene.account_id, "key": scene.key_id}
    subject["faults"] = scene.account_id
    name = ":".join(filter(None, (keyspace.TAG, key, subject.get(key))))
    await redis.delete(name)
    await redis.rpush(name, "of another type")
    return name


@pytest.mark.parametrize(("script", "key"), REPLACED)
async def test_what_can_be_made_anew_is_replaced(
    redis_client: Redis, script: str, key: str
) -> None:
    scene = Scene(redis_client)
    name = await poisoned(scene, redis_client, key)

    await CASES[script][0](scene)

    assert await redis_client.type(name) != "list"
    if key in VERSIONS:  # no process has seen a version as high
        assert int(str(await redis_client.get(name))) > 1_700_000_000_000


@pytest.mark.parametrize(("script", "key"), PAIRS)
async def test_a_key_of_another_type_is_an_error_and_nothing_has_changed(
    redis_client: Redis, monkeypatch: pytest.MonkeyPatch, script: str, key: str
) -> None:
    async def none_replaced(*_: Any) -> bool:
        return False

    if (script, key) in REPLACED:  # the script itself, before what it met is replaced
        monkeypatch.setattr(TypeRepair, "repair", none_replaced)
    scene = Scene(redis_client)
    await poisoned(scene, redis_client, key)
    before = await dump(redis_client)

    with pytest.raises(StoreUnavailable):
        await CASES[script][0](scene)

    assert await dump(redis_client) == before


async def test_a_quota_of_another_type_counts_as_none_and_is_replaced(redis_client: Redis) -> None:
    await redis_client.rpush(keyspace.quota("acc_1"), "of another type")
    quota, store = SeenQuota(seen_at=1.0), QuotaStore(redis_client)

    assert await store.keep({"acc_1": lambda before: before or quota}) == {"acc_1": quota}

    assert await store.all(["acc_1"]) == {"acc_1": quota}


async def test_a_cleared_log_of_another_type_is_replaced(redis_client: Redis) -> None:
    logs = LogStream(redis_client)
    await redis_client.rpush(keyspace.cleared_logs(), "of another type")
    await logs.append(ENTRY)

    assert await logs.clear() == 1

    assert await logs.restore()
    assert [each.entry for each in await logs.page()] == [ENTRY]
