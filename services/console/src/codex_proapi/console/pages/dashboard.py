"""The dashboard: overall state, remaining quota, accounts that need attention, failures."""

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from codex_proapi.commons.usage.counters import day_of
from codex_proapi.console.api.chart_points import HOUR, Span
from codex_proapi.console.layout.layout import AnyRequest, page
from codex_proapi.console.views.account_list import AccountOverview, AccountRow, load_accounts
from codex_proapi.console.views.checklist import Checklist
from codex_proapi.console.views.figures import (
    FAILED,
    Failure,
    Figures,
    Share,
    failure_of,
    figures_of,
    shares_of,
)
from codex_proapi.console.views.quota_windows import Bar, Tone
from codex_proapi.console.views.shortage import Shortage, load_shortage
from codex_proapi.console.views.sources import Sources

_SPANS = frozenset(Span)
ENTRIES = 500
"""Most log entries read for the last hour's details."""
FAILURES = 6
ATTENTION = 4
"""Accounts that need attention, as many as stand beside the quota; the list of accounts has the others."""
SHARES = 6
FAILING_SHARE = 20.0
"""Percent of failed requests from which the dashboard says so."""
FAILING_LEAST = 5
"""Requests there must have been before a share says anything."""


class DashboardView(msgspec.Struct, frozen=True, kw_only=True):
    """All the dashboard shows."""

    total: int
    ready: int
    verdict: str
    """`steady`, `attention`, `failing` or `down`."""
    verdict_tone: Tone
    recovers_at: int
    in_flight: int | None
    shortage: Shortage
    pool: tuple[Bar, ...]
    attention: tuple[AccountRow, ...]
    """The first of those that need an administrator."""
    needing: int
    """How many there are."""
    figures: Figures
    by_key: list[Share]
    by_account: list[Share]
    by_model: list[Share]
    failures: list[Failure]
    checklist: Checklist
    begun: bool
    """Whether there is anything to show beside the checklist."""
    span: str


@get("/", opt={"page": True}, include_in_schema=False)
async def dashboard(request: AnyRequest, sources: NamedDependency[Sources]) -> Response[str]:
    """One screen that answers the daily questions."""
    overview = await load_accounts(sources)
    wanted = request.query_params.get("span", "")
    view = await _view(sources, overview, span=wanted if wanted in _SPANS else Span.DAY)
    return await page(request, sources, overview, "dashboard.html", view=view)


async def _view(sources: Sources, overview: AccountOverview, *, span: str) -> DashboardView:
    now = sources.clock()
    day = (await sources.calendar()).day_of(now)
    series = await sources.usage.series(sorted({day_of(now - HOUR), day_of(now)}))
    by_key = (await sources.usage.read("key", [day]))[day]
    by_account = (await sources.usage.read("account", [day]))[day]
    by_model = (await sources.usage.read("model", [day]))[day]
    key_names = await sources.keys.names(by_key)
    entries = [stored.entry for stored in await sources.logs.page(count=ENTRIES)]
    figures = figures_of(series=series, today=by_key.values(), entries=entries, now=now)
    names = {row.id: row.name for row in overview.rows}
    failed = [e for e in entries if e.exchange is not None and e.exchange.ending in FAILED]
    verdict, tone = verdict_of(overview, figures)
    answered = any(row.last_used_at for row in overview.rows)
    return DashboardView(
        total=len(overview.rows),
        ready=overview.ready,
        verdict=verdict,
        verdict_tone=tone,
        recovers_at=overview.recovers_at,
        in_flight=overview.in_flight,
        shortage=await load_shortage(sources.redis, now=now),
        pool=overview.pool,
        attention=overview.attention[:ATTENTION],
        needing=len(overview.attention),
        figures=figures,
        by_key=shares_of(by_key, key_names)[:SHARES],
        by_account=shares_of(by_account, names)[:SHARES],
        by_model=shares_of(by_model, {})[:SHARES],
        failures=[failure_of(entry, names) for entry in failed[:FAILURES]],
        checklist=Checklist(
            accounts=bool(overview.rows),
            keys=await sources.keys.count() > 0,
            answered=answered,
        ),
        begun=bool(overview.rows) or answered or figures.requests > 0,
        span=span,
    )


def verdict_of(overview: AccountOverview, figures: Figures) -> tuple[str, Tone]:
    """The overall state in one word; the worst that applies."""
    if not overview.ready:
        return "down", Tone.BAD
    if figures.requests >= FAILING_LEAST and figures.error_share >= FAILING_SHARE:
        return "failing", Tone.BAD
    if overview.attention:
        return "attention", Tone.WARN
    return "steady", Tone.OK
