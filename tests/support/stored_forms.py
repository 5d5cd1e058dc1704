"""What the stores write, as a file: for the tests that a later version still reads it.

`PYTHONPATH=tests python -m support.stored_forms` writes `tests/commons/stored/schema-<n>.json`
anew. That is only right before a release whose SCHEMA nobody has run yet: a file that a released
version wrote must stay as it is.
"""

import asyncio
import json
import pathlib
from typing import Any

from redis.asyncio import Redis
from support import redis_dump
from support.clock import Clock
from support.exchanges import AT, a_record
from support.logins import a_login
from support.redis_server import RedisServer

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.accounts.quota_store import QuotaStore, SeenFamily, SeenQuota, SeenWindow
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.cluster.live_settings import KeyPolicy, LiveSettingsStore
from codex_proapi.commons.cluster.replicas import Replica, ReplicaStore
from codex_proapi.commons.cluster.schema import SCHEMA, SchemaVersion
from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.usage.log_stream import LogEntry, LogKind, LogStream
from codex_proapi.console.auth.audit import Audit, AuditEvent
from codex_proapi.console.auth.script_tokens import ScriptTokens
from codex_proapi.console.auth.sessions import Sessions
from codex_proapi.gateway.accounting.affinity_writer import AffinityWriter
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter
from codex_proapi.gateway.exchange.stored_responses import ResponseStore

FOLDER = pathlib.Path(__file__).parents[1] / "commons/stored"
SEALING_KEY = "c3RvcmVkLWZvcm1zLWFyZS1yZWFkLWJ5LWxhdGVyLTE="
CIPHER = CredentialCipher([SEALING_KEY])
FAR = 4_000_000_000.0
"""A moment no test lives to see."""
QUOTA = SeenQuota(
    seen_at=AT,
    plan="plus",
    families=(SeenFamily(id="codex", windows=(SeenWindow(minutes=300, used_percent=46.0),)),),
)
ITEM = b'{"type":"message","id":"msg_1","role":"user","content":"hi"}'


async def write(redis: Redis) -> dict[str, str]:
    """Let every store write something; gives the secrets that the tests need to find it again."""
    clock = Clock(AT)
    await SchemaVersion(redis).check()
    accounts, keys = AccountStore(redis, CIPHER), KeyStore(redis, CIPHER)
    account = await accounts.add(a_login(exp=int(FAR)))
    paused = await accounts.add(a_login(exp=int(FAR), workspace="ws-2", refresh_token="rt_2"))
    await accounts.pause(paused.id)
    limits = Limits(rpm=10, tokens_week=1000)
    key, old_secret = await keys.create(
        "laptop", owner="Ada", created_at=5, limits=limits, weight=2.0
    )
    secret = await keys.rotate(key.id, overlap=3600)
    cooldown = Cooldown(until=FAR, reason=CooldownReason.QUOTA, since=AT, code="usage_limit")
    await CooldownStore(redis).cool(account.id, cooldown, model="gpt-5.5")
    await QuotaStore(redis).keep({account.id: lambda _: QUOTA})
    await AffinityWriter(redis).tie({"fingerprint": account.id})
    await SettlementWriter(redis).add([a_record(number) for number in range(3)])
    logs = LogStream(redis)
    await logs.append(LogEntry(at=AT, kind=LogKind.ACCOUNT, event="account.cooled"))
    await ResponseStore(redis, CIPHER).keep(
        key.id, "resp_1", [ITEM], response=b'{"output":[]}', now=AT
    )
    await LiveSettingsStore(redis).change(
        {
            "routing": Routing.LEAST_USED,
            "api_key_policy": KeyPolicy.REQUIRED,
            "model_aliases": {"a": "b"},
        }
    )
    await ReplicaStore(redis).beat(Replica(id="r1", service="gateway", in_flight={account.id: 2}))
    sid, _ = await Sessions(redis, clock=clock).begin(ip="::1", agent="Firefox", sign_outs=0)
    _, token = await ScriptTokens(redis, clock=clock).create("backup")
    event = AuditEvent(action="key.created", actor="admin", ip="::1", after={"name": "laptop"})
    await Audit(redis, logs, clock=clock, write_log=False).note(event)
    assert secret is not None
    return {
        "account": account.id,
        "paused": paused.id,
        "key": key.id,
        "secret": secret,
        "old_secret": old_secret,
        "sid": sid,
        "token": token,
    }


async def dump(redis: Redis) -> dict[str, Any]:
    """Every key with its type and value, without lifetimes."""
    return {
        key: {"type": kind, "value": sorted(value) if kind == "set" else value}
        for key, (kind, value) in (await redis_dump.dump(redis)).items()
    }


async def load(redis: Redis, stored: dict[str, Any]) -> None:
    """Put back what was dumped."""
    for key, each in stored.items():
        value = each["value"]
        match each["type"]:
            case "string":
                await redis.set(key, value)
            case "hash":
                await redis.hset(key, mapping=value)
            case "set":
                await redis.sadd(key, *value)
            case "zset":
                await redis.zadd(key, {member: float(score) for member, score in value})
            case "stream":
                for row_id, fields in value:
                    await redis.xadd(key, fields, id=row_id)
            case other:
                raise AssertionError(other)


async def main() -> None:
    with RedisServer() as server:
        redis = connect(server.url)
        secrets = await write(redis)
        body = {"secrets": secrets, "keys": await dump(redis)}
        await redis.aclose()
    path = FOLDER / f"schema-{SCHEMA}.json"
    path.write_text(json.dumps(body, indent=1, sort_keys=True) + "\n")
    print(path)


if __name__ == "__main__":
    asyncio.run(main())
