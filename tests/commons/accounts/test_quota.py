"""Quota as it was last seen."""

from redis.asyncio import Redis

from commons import redis_keys
from commons.accounts.quota import QuotaStore, SeenCredits, SeenFamily, SeenQuota, SeenWindow

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


async def test_what_was_seen_is_read_as_it_was_kept(redis_client: Redis) -> None:
    store = QuotaStore(redis_client)
    await store.keep("acc_1", SEEN)

    assert await store.all(["acc_0", "acc_1"]) == {"acc_1": SEEN}
    assert await store.all([]) == {}


async def test_another_version_s_quota_counts_as_never_seen(redis_client: Redis) -> None:
    await redis_client.set(redis_keys.quota("acc_1"), '{"windows": 3}')

    assert await QuotaStore(redis_client).all(["acc_1"]) == {}


def test_the_windows_are_those_of_the_general_limit() -> None:
    assert SEEN.windows == (FIVE_HOURS, WEEKLY)


def test_a_spending_limit_stands_where_there_are_no_windows() -> None:
    assert SeenQuota(seen_at=1, spending=WEEKLY).windows == (WEEKLY,)
    assert SeenQuota(seen_at=1).windows == ()
