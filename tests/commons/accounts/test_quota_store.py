"""Quota as it was last seen."""

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import redis
from redis.asyncio import Redis

from codex_proapi.commons.accounts.quota_store import (
    KEEP_TRIES,
    QuotaStore,
    SeenCredits,
    SeenFamily,
    SeenQuota,
    SeenWindow,
)
from codex_proapi.commons.redis import keyspace

FIVE_HOURS = SeenWindow(minutes=300, used_percent=46.0, resets_at=1_778_689_421)
WEEKLY = SeenWindow(minutes=10080, used_percent=15.5)
SEEN = SeenQuota(
    seen_at=1_778_680_000.25,
    plan="plus",
    families=(
        SeenFamily(id="codex", windows=(FIVE_HOURS, WEEKLY)),
        SeenFamily(id="codex_bengalfox", name="Spark", windows=(WEEKLY,)),
    ),
    credits=SeenCredits(has_credits=True, balance="12"),
)


@contextlib.contextmanager
def redis_beside(client: Redis) -> Iterator[Any]:
    """Another client of the same Redis, for writing in the middle of something."""
    options = client.connection_pool.connection_kwargs
    wanted: dict[str, Any] = {
        name: options[name] for name in ("host", "port", "db", "path") if name in options
    }
    if path := wanted.pop("path", None):
        wanted["unix_socket_path"] = path
    with redis.Redis(**wanted) as other:
        yield other


async def test_what_was_seen_is_read_as_it_was_kept(redis_client: Redis) -> None:
    store = QuotaStore(redis_client)
    assert await store.keep({"acc_1": lambda _: SEEN}) == {"acc_1": SEEN}

    assert await store.all(["acc_0", "acc_1"]) == {"acc_1": SEEN}
    assert await store.all([]) == {}


async def test_a_change_sees_what_others_have_written_meanwhile(redis_client: Redis) -> None:
    store, seen = QuotaStore(redis_client), []
    writes = iter(["another", "a third"])

    def change(known: SeenQuota | None) -> SeenQuota:
        seen.append(known.plan if known else "")
        # Between the reading and the writing another replica is faster, twice.
        if plan := next(writes, ""):
            other = msgspec.structs.replace(SEEN, plan=plan)
            sync_redis.set(keyspace.quota("acc_1"), msgspec.json.encode(other))
        return SEEN

    with redis_beside(redis_client) as sync_redis:
        assert await store.keep({"acc_1": change}) == {"acc_1": SEEN}

    assert seen == ["", "another", "a third"]


async def test_a_writing_that_is_always_overtaken_is_given_up(redis_client: Redis) -> None:
    count = itertools.count()

    def change(_: SeenQuota | None) -> SeenQuota:
        sync_redis.set(keyspace.quota("acc_1"), str(next(count)))
        return SEEN

    with redis_beside(redis_client) as sync_redis:
        assert await QuotaStore(redis_client).keep({"acc_1": change}) == {}

    assert next(count) == KEEP_TRIES


async def test_what_has_not_changed_is_not_written(redis_client: Redis) -> None:
    store = QuotaStore(redis_client)
    await store.keep({"acc_1": lambda _: SEEN})
    await redis_client.expire(keyspace.quota("acc_1"), 100)

    assert await store.keep({"acc_1": lambda known: known or SEEN}) == {"acc_1": SEEN}
    assert await store.keep({}) == {}

    assert await redis_client.ttl(keyspace.quota("acc_1")) > 0


async def test_another_version_s_quota_counts_as_never_seen(redis_client: Redis) -> None:
    await redis_client.set(keyspace.quota("acc_1"), '{"windows": 3}')

    assert await QuotaStore(redis_client).all(["acc_1"]) == {}


def test_the_windows_are_those_of_the_general_limit() -> None:
    assert SEEN.windows == (FIVE_HOURS, WEEKLY)


def test_a_spending_limit_stands_where_there_are_no_windows() -> None:
    assert SeenQuota(seen_at=1, spending=WEEKLY).windows == (WEEKLY,)
    assert SeenQuota(seen_at=1).windows == ()


SPARK = SeenWindow(minutes=300, used_percent=80.0)
WITH_SPARK = SeenQuota(
    seen_at=1,
    families=(
        SeenFamily(id="codex", windows=(FIVE_HOURS, WEEKLY)),
        SeenFamily(id="codex_bengalfox", name="GPT-5.3-Codex-Spark", windows=(SPARK,)),
        SeenFamily(id="codex_unheard", name="gpt-unheard"),
        SeenFamily(id="codex_named_by_id", windows=(WEEKLY,)),
    ),
)


@pytest.mark.parametrize(
    ("model", "windows"),
    [
        ("gpt-5.3-codex-spark", (SPARK,)),
        ("GPT-5.3 Codex_Spark", (SPARK,)),
        ("codex-named-by-id", (WEEKLY,)),
        ("gpt-5.5", (FIVE_HOURS, WEEKLY)),
        ("gpt-5.3-codex", (FIVE_HOURS, WEEKLY)),
        ("gpt-unheard", (FIVE_HOURS, WEEKLY)),
        ("codex", (FIVE_HOURS, WEEKLY)),
        ("", (FIVE_HOURS, WEEKLY)),
    ],
)
def test_a_family_s_windows_hold_for_its_model_instead_of_the_general_ones(
    model: str, windows: tuple[SeenWindow, ...]
) -> None:
    assert WITH_SPARK.windows_for(model) == windows


def test_a_spending_limit_holds_for_every_model_without_windows() -> None:
    assert SeenQuota(seen_at=1, spending=WEEKLY).windows_for("gpt-5.5") == (WEEKLY,)


def test_the_age_of_the_general_windows_is_not_that_of_another_family() -> None:
    general = SeenFamily(id="codex", windows=(WEEKLY,), seen_at=7.0)
    spark = SeenFamily(id="codex_spark", windows=(SPARK,), seen_at=90.0)

    assert SeenQuota(seen_at=90, families=(general, spark)).windows_seen_at == 7
    assert SeenQuota(seen_at=90, families=(spark,), spending=WEEKLY).windows_seen_at == 90


@pytest.mark.parametrize(
    ("minutes", "seconds"), [(300, 3600), (10_080, 86_400), (1440, 86_400 / 7), (60, 720)]
)
def test_a_recent_pace_looks_back_an_hour_or_a_day(minutes: int, seconds: float) -> None:
    assert SeenWindow(minutes=minutes, used_percent=1).recent_seconds == seconds
