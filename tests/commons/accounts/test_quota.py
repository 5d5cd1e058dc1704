"""Quota as it was last seen."""

import pytest
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
