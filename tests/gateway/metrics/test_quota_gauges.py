"""What Prometheus sees of quota."""

from typing import Any

from prometheus_client import CollectorRegistry

from codex_proapi.commons.accounts.quota_store import Sample, SeenFamily, SeenQuota, SeenWindow
from codex_proapi.gateway.metrics.quota_gauges import QuotaFigures

NOW, HOUR = 1_795_000_000.0, 3600


class Scene:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.figures = QuotaFigures(self.registry)

    def show(self, *serving: str, **quotas: SeenQuota) -> None:
        self.figures.show(quotas, serving=serving, now=NOW)

    def value(self, name: str, **labels: Any) -> Any:
        return self.registry.get_sample_value(f"gateway_{name}", labels)


def a_quota(used: float, *, hours: float, pace: float = 0.0) -> SeenQuota:
    """A five-hour window that begins anew in some hours, seen a moment ago."""
    window = SeenWindow(
        minutes=300,
        used_percent=used,
        resets_at=round(NOW + hours * HOUR),
        trail=(Sample(NOW - HOUR, used - pace),),
    )
    return SeenQuota(
        seen_at=NOW + 5, families=(SeenFamily(id="codex", windows=(window,), seen_at=NOW),)
    )


FIVE = {"account": "acc_a", "window": "five_hour"}


def test_a_window_is_shown_by_its_length_and_goes_with_its_account() -> None:
    scene = Scene()
    scene.show(acc_a=a_quota(42, hours=2))

    assert scene.value("quota_used_ratio", **FIVE) == 0.42
    assert scene.value("quota_reset_timestamp_seconds", **FIVE) == NOW + 2 * HOUR
    assert scene.value("quota_seen_timestamp_seconds", account="acc_a") == NOW

    scene.show()
    assert not any(family.samples for family in scene.registry.collect())
    assert repr(scene.figures) == "<QuotaFigures in 8 gauges>"


def test_a_pace_tells_when_a_window_is_spent_before_its_reset() -> None:
    scene = Scene()
    scene.show(acc_a=a_quota(60, hours=3, pace=20), acc_b=a_quota(60, hours=3, pace=10))

    assert scene.value("quota_burn_ratio_per_hour", **FIVE) == 0.2
    assert scene.value("quota_spent_timestamp_seconds", **FIVE) == NOW + 2 * HOUR
    lasting = {"account": "acc_b", "window": "five_hour"}
    assert scene.value("quota_burn_ratio_per_hour", **lasting) == 0.1
    assert scene.value("quota_spent_timestamp_seconds", **lasting) is None


def test_what_upstream_did_not_say_is_not_shown() -> None:
    scene = Scene()
    window = SeenWindow(minutes=10_080, used_percent=7)
    scene.show(acc_a=SeenQuota(seen_at=NOW, spending=window))

    weekly = {"account": "acc_a", "window": "weekly"}
    assert scene.value("quota_used_ratio", **weekly) == 0.07
    for name in ("reset_timestamp_seconds", "burn_ratio_per_hour", "spent_timestamp_seconds"):
        assert scene.value(f"quota_{name}", **weekly) is None


def test_the_pool_is_those_that_serve() -> None:
    scene = Scene()
    accounts = {f"acc_{n}": a_quota(50, hours=4, pace=20) for n in range(3)}
    scene.show("acc_0", "acc_1", **accounts)

    assert scene.value("pool_quota_left_accounts", window="five_hour") == 1.0
    assert scene.value("pool_quota_burn_accounts_per_hour", window="five_hour") == 0.4
    spent_at = scene.value("pool_quota_spent_timestamp_seconds", window="five_hour")
    assert spent_at == NOW + 2.5 * HOUR


def test_a_reading_whose_reset_has_passed_says_nothing_of_what_is_left() -> None:
    scene = Scene()
    scene.show("acc_a", acc_a=a_quota(50, hours=-1, pace=20))

    assert scene.value("pool_quota_left_accounts", window="five_hour") is None
    assert scene.value("quota_burn_ratio_per_hour", **FIVE) is None
