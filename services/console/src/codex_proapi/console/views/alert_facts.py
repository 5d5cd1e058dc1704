"""What alerts are read from: accounts and their windows, drift of the backend, the last backup."""

from codex_proapi.commons.cluster.live_settings import LiveSettings
from codex_proapi.commons.cluster.upstream_drift import Drift, UpstreamDriftStore
from codex_proapi.console.alerts.alert_store import AlertStore
from codex_proapi.console.alerts.conditions import (
    BACKUP_DAYS,
    WINDOW_PERCENT,
    AccountFacts,
    DriftFacts,
    Facts,
    SubstitutionFacts,
    WindowFacts,
)
from codex_proapi.console.views.account_list import AccountOverview, AccountRow, load_accounts
from codex_proapi.console.views.sources import Sources

OUTSIDE_HOURS = "closed_by_hours"
"""Code of the status of an account that its owner's hours close."""


class AlertFacts:
    """Reads the facts."""

    def __init__(self, sources: Sources, drift: UpstreamDriftStore, alerts: AlertStore) -> None:
        self._sources = sources
        self._drift = drift
        self._alerts = alerts

    def __repr__(self) -> str:
        return "<AlertFacts>"

    async def read(self, watched_since: int) -> Facts:
        """The facts of now. Raises StoreUnavailable.

        Args:
            watched_since: Since when somebody wants alerts, seconds since the epoch.
        """
        return facts_of(
            await load_accounts(self._sources),
            live=await self._sources.live_settings.read(),
            drift=await self._drift.all(),
            backup_at=await self._alerts.last_backup(),
            watched_since=watched_since,
        )


def facts_of(
    overview: AccountOverview,
    *,
    live: LiveSettings,
    drift: list[Drift],
    backup_at: int,
    watched_since: int,
) -> Facts:
    """The facts of an overview."""
    percent, days = live.alert_window_percent, live.alert_backup_days
    return Facts(
        at=overview.at,
        accounts=tuple(_account(row) for row in overview.rows),
        drift=tuple(
            DriftFacts(sort=d.sort, name=d.name, first_at=d.first_at, last_at=d.last_at)
            for d in drift
        ),
        backup_at=backup_at,
        watched_since=watched_since,
        window_percent=WINDOW_PERCENT if percent is None else percent,
        backup_days=BACKUP_DAYS if days is None else days,
    )


def _account(row: AccountRow) -> AccountFacts:
    return AccountFacts(
        id=row.id,
        name=row.name,
        state=row.condition.word.value,
        paused=row.paused,
        until=row.condition.until,
        outside_hours=row.condition.code == OUTSIDE_HOURS,
        reset_ends_at=row.resets_end_at,
        windows=tuple(
            WindowFacts(minutes=bar.minutes, left=bar.left, resets_at=bar.resets_at)
            for bar in row.bars
        ),
        substitutions=tuple(
            SubstitutionFacts(sent=seen.model, answered=seen.answered) for seen in row.substitutions
        ),
    )
