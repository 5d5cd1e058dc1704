"""Administrators' sessions, in Redis by their digest alone."""

from collections.abc import Sequence

import msgspec
import pytest
from redis.asyncio import Redis
from support.clock import Clock

from codex_proapi.commons.redis import keyspace
from codex_proapi.console.auth.sessions import (
    ABSOLUTE_SECONDS,
    IDLE_SECONDS,
    SIGN_OUTS,
    Session,
    Sessions,
    csrf_token,
    digest_of,
    new_sid,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(redis_client: Redis, clock: Clock) -> Sessions:
    return Sessions(redis_client, clock=clock)


async def test_a_session_is_found_by_its_cookie_on_every_replica(
    redis_client: Redis, clock: Clock, sessions: Sessions
) -> None:
    sid, session = await sessions.begin(ip="203.0.113.9", agent="Firefox", sign_outs=0)
    found = await Sessions(redis_client, clock=clock).find(sid)

    assert found == session
    assert (session.id, session.ip, session.agent) == (digest_of(sid), "203.0.113.9", "Firefox")
    assert await sessions.find(new_sid()) is None


async def test_use_keeps_it_and_idleness_ends_it(clock: Clock, sessions: Sessions) -> None:
    sid, session = await sessions.begin(ip="", agent="", sign_outs=0)
    clock.pass_(IDLE_SECONDS - 1)
    assert await sessions.find(sid) is not None
    clock.pass_(IDLE_SECONDS - 1)
    assert await sessions.lives(session.id)
    clock.pass_(1)
    assert await sessions.find(sid) is None
    assert not await sessions.lives(session.id)


async def test_looking_without_touching_is_no_use(clock: Clock, sessions: Sessions) -> None:
    sid, _ = await sessions.begin(ip="", agent="", sign_outs=0)
    clock.pass_(IDLE_SECONDS - 1)
    assert await sessions.find(sid, touch=False) is not None
    clock.pass_(1)

    assert await sessions.find(sid) is None


async def test_it_ends_after_twelve_hours_however_busy(clock: Clock, sessions: Sessions) -> None:
    sid, _ = await sessions.begin(ip="", agent="", sign_outs=0)
    for _ in range(ABSOLUTE_SECONDS // 1000):
        clock.pass_(1000)
        assert (await sessions.find(sid)) is not None
    clock.pass_(ABSOLUTE_SECONDS % 1000)

    assert await sessions.find(sid) is None


async def test_redis_forgets_it_by_itself(redis_client: Redis, sessions: Sessions) -> None:
    _, session = await sessions.begin(ip="", agent="", sign_outs=0)

    assert 0 < await redis_client.ttl(keyspace.session(session.id)) <= IDLE_SECONDS


async def test_a_session_ended_while_it_is_used_stays_ended(
    clock: Clock, sessions: Sessions, redis_client: Redis
) -> None:
    sid, session = await sessions.begin(ip="", agent="", sign_outs=0)
    clock.pass_(60)

    class EndsBetween(Sessions):
        async def _read(self, ids: Sequence[str]) -> list[Session | None]:
            found = await super()._read(ids)
            for session_id in ids:
                await sessions.end(session_id)
            return found

    assert await EndsBetween(redis_client, clock=clock).find(sid) is not None
    assert not await sessions.lives(session.id)


async def test_all_are_listed_the_last_used_first_and_ended_together(
    clock: Clock, sessions: Sessions
) -> None:
    first, one = await sessions.begin(ip="", agent="one", sign_outs=0)
    clock.pass_(20)
    _, two = await sessions.begin(ip="", agent="two", sign_outs=0)
    clock.pass_(20)
    await sessions.find(first)

    assert [each.agent for each in await sessions.all()] == ["one", "two"]
    assert await sessions.end_all() == 2
    assert await sessions.all() == []
    assert not await sessions.end(one.id)
    assert not await sessions.end(two.id)


def test_a_csrf_token_belongs_to_one_cookie() -> None:
    sid = new_sid()

    assert csrf_token(sid) == csrf_token(sid) != csrf_token(new_sid())
    assert sid not in csrf_token(sid)
    assert len(sid) == 43


async def test_a_session_that_cannot_be_read_is_none_and_hides_no_other(
    redis_client: Redis,
) -> None:
    sessions = Sessions(redis_client, clock=lambda: 1000.0)
    sid, session = await sessions.begin(ip="::1", agent="a", sign_outs=0)
    odd_sid, odd = await sessions.begin(ip="::1", agent="b", sign_outs=0)
    await redis_client.set(keyspace.session(odd.id), '{"id": "x", "created_at": "now"}')

    assert await sessions.find(odd_sid) is None
    assert await sessions.find(sid) == session
    assert await sessions.all() == [session]


async def test_a_sign_in_under_way_while_everybody_is_signed_out_begins_no_session(
    sessions: Sessions,
) -> None:
    before = await sessions.sign_outs()
    await sessions.end_all()
    sid, late = await sessions.begin(ip="", agent="late", sign_outs=before)
    new_sid, new = await sessions.begin(ip="", agent="", sign_outs=await sessions.sign_outs())

    assert await sessions.find(sid) is None
    assert not await sessions.lives(late.id)
    assert await sessions.find(new_sid) == new
    assert await sessions.all() == [new]


async def test_a_session_of_an_older_release_ends_with_the_next_sign_out(
    redis_client: Redis, sessions: Sessions
) -> None:
    sid, session = await sessions.begin(ip="", agent="", sign_outs=0)
    key = keyspace.session(session.id)
    body = msgspec.json.decode(str(await redis_client.get(key)))
    del body["sign_outs"]
    await redis_client.set(key, msgspec.json.encode(body))
    assert await sessions.find(sid) == session

    await redis_client.hincrby(keyspace.admin(), SIGN_OUTS, 1)
    assert await sessions.find(sid) is None
