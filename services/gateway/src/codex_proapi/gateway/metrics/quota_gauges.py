"""Gauges of quota: what is left, the pace of use, when it will be spent.

All gauges are set together from one state; those of removed accounts are removed. Every replica
exports the same figures: aggregate with `max`, not `sum`.
"""

from collections.abc import Collection, Mapping

from prometheus_client import CollectorRegistry, Gauge

from codex_proapi.commons.accounts.quota_store import SeenQuota
from codex_proapi.commons.codex.quota_parser import window_name
from codex_proapi.commons.usage.forecast import Share, forecast, pool_forecast, share_of

ONE_WINDOW = ("account", "window")


class QuotaFigures:
    """The gauges of quota, of each account and of the pool."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._gauges: list[Gauge] = []
        self._registry = registry
        self.used = self._gauge(
            "gateway_quota_used_ratio",
            "Used part of a quota window, as last seen; 1 is spent.",
            ONE_WINDOW,
        )
        self.reset = self._gauge(
            "gateway_quota_reset_timestamp_seconds", "When a quota window begins anew.", ONE_WINDOW
        )
        self.seen = self._gauge(
            "gateway_quota_seen_timestamp_seconds",
            "When an account's quota was last seen.",
            ("account",),
        )
        self.burn = self._gauge(
            "gateway_quota_burn_ratio_per_hour",
            "Part of a quota window used in an hour, at its recent pace.",
            ONE_WINDOW,
        )
        self.spent = self._gauge(
            "gateway_quota_spent_timestamp_seconds",
            "When a quota window is spent at its pace, if that is before it begins anew.",
            ONE_WINDOW,
        )
        self.pool_left = self._gauge(
            "gateway_pool_quota_left_accounts",
            "What is left of a window in the pool, in whole accounts.",
            ("window",),
        )
        self.pool_burn = self._gauge(
            "gateway_pool_quota_burn_accounts_per_hour",
            "What the pool uses of a window in an hour, in whole accounts.",
            ("window",),
        )
        self.pool_spent = self._gauge(
            "gateway_pool_quota_spent_timestamp_seconds",
            "When a window is spent in the whole pool, if that is in sight.",
            ("window",),
        )

    def __repr__(self) -> str:
        return f"<QuotaFigures in {len(self._gauges)} gauges>"

    def show(
        self, quotas: Mapping[str, SeenQuota], *, serving: Collection[str], now: float
    ) -> None:
        """Set what is known of the general windows; only accounts that serve are the pool's."""
        for gauge in self._gauges:
            gauge.clear()
        pool: dict[str, list[Share]] = {}
        for account, quota in quotas.items():
            self.seen.labels(account).set(quota.windows_seen_at)
            shares = self._show_account(account, quota, now=now)
            if account in serving:
                for share in shares:
                    pool.setdefault(window_name(share.minutes), []).append(share)
        for name, shares in pool.items():
            self._show_pool(name, shares, now=now)

    def _show_account(self, account: str, quota: SeenQuota, *, now: float) -> list[Share]:
        seen_at = quota.windows_seen_at
        shares = []
        for window in quota.windows:
            labels = account, window_name(window.minutes)
            projected = forecast(window, seen_at=seen_at, now=now)
            self.used.labels(*labels).set(window.used_percent / 100)
            if window.resets_at:
                self.reset.labels(*labels).set(window.resets_at)
            if projected.pace is not None:
                self.burn.labels(*labels).set(projected.pace / 100)
            if projected.spent_at is not None and not projected.lasts:
                self.spent.labels(*labels).set(projected.spent_at)
            if (share := share_of(window, seen_at=seen_at, now=now)) is not None:
                shares.append(share)
        return shares

    def _show_pool(self, name: str, shares: list[Share], *, now: float) -> None:
        pool = pool_forecast(shares, now=now)
        self.pool_left.labels(name).set(pool.left)
        if pool.pace is not None:
            self.pool_burn.labels(name).set(pool.pace)
        if pool.spent_at is not None:
            self.pool_spent.labels(name).set(pool.spent_at)

    def _gauge(self, name: str, about: str, labels: tuple[str, ...]) -> Gauge:
        gauge = Gauge(name, about, labels, registry=self._registry)
        self._gauges.append(gauge)
        return gauge
