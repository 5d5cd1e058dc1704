"""Who did what: one record for each action, beside one entry of the log, and no secret in either."""

from redis.asyncio import Redis
from support.clock import Clock

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.usage.log_stream import LogKind, LogLevel, LogStream
from codex_proapi.console.auth.audit import Audit, AuditEvent

PAUSED = AuditEvent(
    action="account.paused",
    actor="admin",
    ip="203.0.113.9",
    request_id="req_1",
    account="acc_1",
    before={"paused": False},
    after={"paused": True},
)


async def test_a_deed_is_written_once_here_and_once_in_the_log(redis_client: Redis) -> None:
    logs = LogStream(redis_client)
    audit = Audit(redis_client, logs, clock=Clock(5.0))
    await audit.note(PAUSED)

    (kept,) = await audit.page()
    (line,) = await logs.page()
    assert (kept.event.at, kept.event.before, kept.event.after) == (
        5.0,
        {"paused": False},
        {"paused": True},
    )
    entry = line.entry
    assert (entry.kind, entry.level, entry.event) == (
        LogKind.ADMIN,
        LogLevel.INFO,
        "account.paused",
    )
    assert (entry.account, entry.request_id) == ("acc_1", "req_1")
    assert entry.detail == {
        "actor": "admin",
        "ip": "203.0.113.9",
        "paused before": False,
        "paused": True,
    }


async def test_a_failed_login_is_a_warning_of_its_kind(redis_client: Redis) -> None:
    logs = LogStream(redis_client)
    event = AuditEvent(action="login.failed", actor="admin", ip="::1", code="access_denied")
    await Audit(redis_client, logs, clock=Clock()).note(event)

    (line,) = await logs.page()
    assert (line.entry.kind, line.entry.level, line.entry.code) == (
        LogKind.LOGIN,
        LogLevel.WARNING,
        "access_denied",
    )


async def test_clearing_the_log_leaves_the_audit(redis_client: Redis) -> None:
    logs = LogStream(redis_client)
    audit = Audit(redis_client, logs, clock=Clock())
    for _ in range(3):
        await audit.note(PAUSED)
    await logs.clear()

    assert len(await audit.page()) == 3


async def test_older_deeds_come_page_by_page(redis_client: Redis) -> None:
    audit = Audit(redis_client, LogStream(redis_client), clock=Clock())
    for number in range(5):
        await audit.note(AuditEvent(action=f"key.n{number}", actor="admin", ip=""))
    newest = await audit.page(count=2)
    older = await audit.page(before=newest[-1].id, count=9)

    assert [kept.event.action for kept in newest] == ["key.n4", "key.n3"]
    assert [kept.event.action for kept in older] == ["key.n2", "key.n1", "key.n0"]


async def test_an_event_that_cannot_be_read_hides_no_other(redis_client: Redis) -> None:
    audit = Audit(redis_client, LogStream(redis_client), clock=lambda: 1.0)
    await audit.note(AuditEvent(action="key.created", actor="admin", ip="::1"))
    await redis_client.xadd(keyspace.audit(), {"deed": '{"action": 7}'})
    await redis_client.xadd(keyspace.audit(), {"other": "x"})

    assert [each.event.action for each in await audit.page()] == ["key.created"]
