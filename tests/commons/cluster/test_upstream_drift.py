"""What the backend sent that is not known: first and last time, bounded, names only."""

from redis.asyncio import Redis

from codex_proapi.commons.cluster.upstream_drift import MOST_NAMES, Drift, UpstreamDriftStore
from codex_proapi.commons.redis import operator_keys


async def test_a_name_keeps_when_it_was_seen_first(redis_client: Redis) -> None:
    store = UpstreamDriftStore(redis_client)
    await store.note([("event", "response.odd"), ("field", "usage.odd")], now=10)
    await store.note([("event", "response.odd")], now=20)

    assert await store.all() == [
        Drift(sort="event", name="response.odd", first_at=10, last_at=20),
        Drift(sort="field", name="usage.odd", first_at=10, last_at=10),
    ]


async def test_what_is_no_name_is_other_and_there_are_so_many_at_most(redis_client: Redis) -> None:
    store = UpstreamDriftStore(redis_client)
    await store.note([("field", "my secret prompt"), ("field", "x" * 65)], now=1)
    assert [each.name for each in await store.all()] == ["other"]

    await store.note([("event", f"e{number}") for number in range(MOST_NAMES + 50)], now=2)
    await store.note([("field", "other")], now=3)
    assert len(await store.all()) == MOST_NAMES
    assert (await store.all())[-1].last_at == 3


async def test_a_record_of_another_form_is_left_out(redis_client: Redis) -> None:
    await redis_client.hset(
        operator_keys.upstream_drift(),
        mapping={"event a": "[]", "mood b": '{"first_at":1,"last_at":1}'},
    )

    assert await UpstreamDriftStore(redis_client).all() == []
