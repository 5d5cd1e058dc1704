"""How readings of a quota are joined."""

import itertools
from typing import Any

import pytest

from codex_proapi.commons.accounts.quota_merge import join
from codex_proapi.commons.accounts.quota_store import (
    Sample,
    SeenCredits,
    SeenFamily,
    SeenQuota,
    SeenWindow,
)

SPENDING = SeenWindow(minutes=0, used_percent=5)


def window(minutes: int, used: float, **fields: Any) -> SeenWindow:
    return SeenWindow(minutes=minutes, used_percent=used, **fields)


def told(at: float, *windows: SeenWindow, family: str = "codex", **fields: Any) -> SeenQuota:
    name = fields.pop("name", "")
    families = (SeenFamily(id=family, name=name, windows=windows, seen_at=at),) if windows else ()
    return SeenQuota(seen_at=at, families=families, **fields)


def joined(*readings: SeenQuota, complete: bool = False) -> SeenQuota:
    known = None
    for reading in readings:
        known = join(known, reading, complete=complete)
    assert known is not None
    return known


def figures(quota: SeenQuota) -> dict[str, list[float]]:
    return {f.id: [w.used_percent for w in f.windows] for f in quota.families}


def test_an_older_reading_never_hides_a_newer_one() -> None:
    new, old = told(20, window(300, 42), plan="pro"), told(10, window(300, 40), plan="plus")

    assert joined(new, old) == new


def test_a_reading_of_one_family_leaves_the_others() -> None:
    general = told(10, window(300, 40), window(10_080, 9), plan="pro", active_limit="codex")
    spark = told(20, window(300, 70), family="codex_spark", name="Spark")

    after = joined(general, spark)

    assert figures(after) == {"codex": [40, 9], "codex_spark": [70]}
    assert (after.seen_at, after.windows_seen_at) == (20, 10)
    assert (after.plan, after.active_limit) == ("pro", "codex")


def test_the_order_in_which_readings_come_does_not_matter() -> None:
    readings = [
        told(10, window(300, 40)),
        told(20, window(300, 5), family="codex_spark", name="Spark"),
        told(30, window(300, 41), plan="pro"),
        told(40, window(300, 9), family="codex_spark"),
    ]

    ends = {str(figures(joined(*order))) for order in itertools.permutations(readings)}

    assert ends == {str({"codex": [41], "codex_spark": [9]})}


def test_a_family_keeps_its_name_where_a_reading_brings_none() -> None:
    after = joined(
        told(1, window(300, 5), family="codex_spark", name="Spark"),
        told(2, window(300, 6), family="codex_spark"),
    )

    assert [(f.name, f.seen_at) for f in after.families] == [("Spark", 2)]


def test_what_a_complete_reading_leaves_out_is_gone() -> None:
    before = joined(
        told(10, window(300, 40), credits=SeenCredits(has_credits=True), spending=SPENDING),
        told(10, window(300, 5), family="codex_spark"),
        told(50, window(300, 5), family="codex_later"),
    )
    whole = told(40, window(300, 41))

    assert list(figures(joined(before, whole))) == ["codex", "codex_later", "codex_spark"]
    late = join(before, whole, complete=True)
    assert list(figures(late)) == ["codex", "codex_later", "codex_spark"]
    assert late.credits is not None

    after = join(before, told(60, window(300, 41)), complete=True)
    assert (list(figures(after)), after.credits, after.spending) == (["codex"], None, None)


def test_credits_and_a_spending_limit_stay_until_they_are_told_again() -> None:
    before = told(10, credits=SeenCredits(balance="7"), spending=SPENDING)

    after = joined(before, told(20, window(300, 1), credits=SeenCredits(balance="6")))

    assert after.credits == SeenCredits(balance="6")
    assert after.spending == SPENDING


def test_windows_without_a_length_do_not_take_the_place_of_real_ones() -> None:
    real, nameless = told(10, window(300, 40)), told(20, window(0, 100))

    assert figures(joined(real, nameless)) == {"codex": [40]}
    assert figures(joined(nameless, told(30, window(0, 7)))) == {"codex": [7]}


def trail_of(*readings: tuple[float, float, int]) -> tuple[Sample, ...]:
    quota = joined(
        *(told(at, window(300, used, resets_at=resets)) for at, used, resets in readings)
    )
    return quota.windows[0].trail


def test_a_window_leaves_a_trail_of_few_samples() -> None:
    minutes = range(181)

    trail = trail_of(*((minute * 60, minute / 10, 18_000) for minute in minutes))

    assert [round(sample.at / 60) for sample in trail] == [*range(115, 180, 5)]
    assert trail[0] == Sample(115 * 60, 11.5)


def test_a_trail_begins_with_the_last_figure_however_old() -> None:
    assert trail_of((0, 3, 18_000), (9000, 5, 18_000)) == (Sample(0, 3),)
    assert trail_of((0, 3, 18_000), (9000, 5, 18_000), (9060, 6, 18_000)) == (
        Sample(0, 3),
        Sample(9000, 5),
    )


@pytest.mark.parametrize(
    ("used", "resets_at", "left"),
    [
        (41, 18_000, 1),
        (39, 18_000, 1),
        (38, 18_000, 0),
        (45, 18_300, 1),
        (45, 18_600, 0),
        (45, 36_000, 0),
        (45, 0, 1),
    ],
)
def test_a_trail_ends_where_its_window_begins_anew(used: float, resets_at: int, left: int) -> None:
    assert len(trail_of((0, 40, 18_000), (600, used, resets_at))) == left


def test_an_older_reading_leaves_no_trail() -> None:
    assert trail_of((900, 40, 18_000), (0, 39, 18_000)) == ()
