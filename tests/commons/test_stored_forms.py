"""What earlier versions stored is read by today's code: one file for each version of the schema."""

import json
import pathlib
import re
from typing import Any

import pytest
from redis.asyncio import Redis
from support import stored_forms
from support.clock import Clock
from support.exchanges import AT, a_record
from support.stored_forms import CIPHER, FAR, ITEM, QUOTA

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.model import AccountState, Cooldown, CooldownReason
from codex_proapi.commons.accounts.quota_store import QuotaStore
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.cluster.live_settings import KeyPolicy, LiveSettingsStore
from codex_proapi.commons.cluster.replicas import ReplicaStore
from codex_proapi.commons.cluster.schema import SCHEMA, SchemaVersion
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.runtime.stored_records import UNREADABLE
from codex_proapi.commons.usage.counters import UsageStore
from codex_proapi.commons.usage.log_stream import LogStream
from codex_proapi.console.auth.audit import Audit
from codex_proapi.console.auth.script_tokens import ScriptTokens
from codex_proapi.console.auth.sessions import Sessions
from codex_proapi.gateway.exchange.stored_responses import ResponseStore
from codex_proapi.gateway.pool.state.snapshot import SnapshotReader, SnapshotRequest

FILES = sorted(stored_forms.FOLDER.glob("schema-*.json"))
DAY = "2026-11-18"


def test_there_is_a_file_for_every_version() -> None:
    assert {path.name for path in FILES} == {f"schema-{n}.json" for n in range(1, SCHEMA + 1)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_what_a_version_stored_is_read(redis_client: Redis, path: pathlib.Path) -> None:
    stored = json.loads(path.read_text())
    known, before = stored["secrets"], dict(UNREADABLE.counts)
    await stored_forms.load(redis_client, stored["keys"])

    await SchemaVersion(redis_client).check()
    await accounts_are_read(redis_client, known)
    await keys_are_read(redis_client, known)
    await usage_is_read(redis_client)
    await what_the_console_keeps_is_read(redis_client, known)

    assert dict(UNREADABLE.counts) == before


async def accounts_are_read(redis: Redis, known: dict[str, str]) -> None:
    store, account_id = AccountStore(redis, CIPHER), known["account"]
    found = {each.id: each for each in await store.list()}
    assert set(found) == {account_id, known["paused"]}
    assert found[known["paused"]].paused
    # This one was written before accounts had a kind.
    assert "kind" not in await redis.hgetall(keyspace.account(account_id))
    assert {each.kind for each in found.values()} == {"chatgpt"}
    assert (found[account_id].state, found[account_id].email) == (
        AccountState.ACTIVE,
        "ada@example.com",
    )
    credential = await store.credential(account_id)
    assert credential is not None
    assert credential.refresh_token == "rt_first"
    cooldown = Cooldown(until=FAR, reason=CooldownReason.QUOTA, since=AT, code="usage_limit")
    cooling = await CooldownStore(redis).all([account_id], now=AT)
    assert cooling == {account_id: {"gpt-5.5": cooldown}}
    assert await QuotaStore(redis).all([account_id]) == {account_id: QUOTA}
    snapshot = await SnapshotReader(redis).read(
        SnapshotRequest(
            account_ids=[known["paused"], account_id], model="m", affinity="fingerprint"
        )
    )
    assert snapshot.affine == account_id
    assert [(r.id, r.in_flight) for r in await ReplicaStore(redis).all()] == [
        ("r1", {account_id: 2})
    ]


async def keys_are_read(redis: Redis, known: dict[str, str]) -> None:
    keys = KeyStore(redis, CIPHER)
    for secret in (known["secret"], known["old_secret"]):
        key = await keys.find(secret)
        assert key is not None
        assert (key.id, key.owner, key.weight) == (known["key"], "Ada", 2.0)
        assert key.limits == Limits(rpm=10, tokens_week=1000)
    responses = ResponseStore(redis, CIPHER)
    assert await responses.response(known["key"], "resp_1") == [ITEM]


async def usage_is_read(redis: Redis) -> None:
    usage = UsageStore(redis)
    accounts = (await usage.read("account", [DAY]))[DAY]
    tokens = sum(a_record(number).tokens.input for number in range(3))
    assert sum(each.input for each in accounts.values()) == tokens
    assert sum(each.input for each in (await usage.series([DAY])).values()) == tokens
    entries = [each.entry for each in await LogStream(redis).page()]
    assert [each.event for each in entries[:2]] == ["key.created", "account.cooled"]
    assert {e.exchange.request_id for e in entries if e.exchange} == {"req_0", "req_1", "req_2"}


async def what_the_console_keeps_is_read(redis: Redis, known: dict[str, str]) -> None:
    live = await LiveSettingsStore(redis).read()
    assert (live.routing, live.api_key_policy) == (Routing.LEAST_USED, KeyPolicy.REQUIRED)
    assert live.model_aliases == {"a": "b"}
    clock: Any = Clock(AT)
    session = await Sessions(redis, clock=clock).find(known["sid"])
    assert session is not None
    assert (session.agent, session.created_at) == ("Firefox", AT)
    token = await ScriptTokens(redis, clock=clock).find(known["token"])
    assert token is not None
    (deed,) = await Audit(redis, LogStream(redis), clock=clock).page()
    assert (deed.event.action, deed.event.after) == ("key.created", {"name": "laptop"})


def _without_ids(name: str) -> str:
    return re.sub(r"(acc|key)_[0-9a-z]+|[0-9a-f]{32,}|20\d\d-\d\d-\d\d(T\d\d)?", "*", name)


async def test_todays_stores_write_what_the_newest_file_has(redis_client: Redis) -> None:
    """A store that writes another key, or another field, wants another file or a version of its own."""

    def forms(stored: dict[str, Any]) -> set[str]:
        found = set()
        for key, each in stored.items():
            plain = _without_ids(key)
            fields = each["value"] if each["type"] == "hash" and "usage" not in key else {}
            fields = fields if not plain.endswith(":keys") else {}
            found |= {
                f"{plain} {each['type']}",
                *(f"{plain} {_without_ids(field)}" for field in fields),
            }
        return found

    newest = json.loads(FILES[-1].read_text())
    await stored_forms.write(redis_client)

    assert forms(await stored_forms.dump(redis_client)) == forms(newest["keys"])
