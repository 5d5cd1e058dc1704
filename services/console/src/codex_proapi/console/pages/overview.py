"""Routes with the content of the dashboard and the models page, for scripts."""

import msgspec
from litestar import get

from codex_proapi.commons.usage.counters import day_of
from codex_proapi.console.accounts.model_names import names_in_force
from codex_proapi.console.accounts.models_seen import SeenModel, load_models
from codex_proapi.console.api.chart_points import HOUR
from codex_proapi.console.pages.dashboard import verdict_of
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.views.account_list import AccountRow, load_accounts
from codex_proapi.console.views.figures import Figures, figures_of
from codex_proapi.console.views.quota_windows import Bar
from codex_proapi.console.views.shortage import Shortage, load_shortage
from codex_proapi.console.views.sources import Sources

ENTRIES = 2_000
"""Most log entries read for the last hour's details."""


class AccountStatusBody(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one account."""

    account: str
    name: str
    word: str
    """`ready`, `paused`, `spent`, `cooling`, `unreachable`, `token`, `entitlement`, …"""
    until: int
    """When that ends by itself, seconds since the epoch; 0 when it does not."""
    code: str
    needs_attention: bool
    windows: tuple[Bar, ...]


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Does it work, how much is left and when does it come back, who needs a hand."""

    verdict: str
    """`steady`, `attention`, `failing` or `down`."""
    total: int
    ready: int
    recovers_at: int
    """When the next account that waits comes back by itself; 0 if none waits."""
    in_flight: int | None
    """Answers under way; null when no gateway is seen."""
    shortage: Shortage
    """Who has to share a scarce pool, and who waits for a slot."""
    pool: tuple[Bar, ...]
    """What is left of each kind of window over all accounts."""
    accounts: tuple[AccountStatusBody, ...]
    figures: Figures


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """The models of all accounts, best first."""

    models: list[SeenModel]
    default_model: str | None
    aliases: dict[str, str]
    disabled: tuple[str, ...]


@get("/api/dashboard", opt={"passive": True}, tags=["usage"])
async def show_overview(sources: Injected[Sources]) -> Overview:
    """What the dashboard shows."""
    now = sources.clock()
    overview = await load_accounts(sources)
    days = sorted({day_of(now - HOUR), day_of(now)})
    day = (await sources.calendar()).day_of(now)
    today = (await sources.usage.read("key", [day]))[day]
    entries = [stored.entry for stored in await sources.logs.page(count=ENTRIES)]
    series = await sources.usage.series(days)
    figures = figures_of(series=series, today=today.values(), entries=entries, now=now)
    verdict, _ = verdict_of(overview, figures)
    return Overview(
        verdict=verdict,
        total=len(overview.rows),
        ready=overview.ready,
        recovers_at=overview.recovers_at,
        in_flight=overview.in_flight,
        shortage=await load_shortage(sources.redis, now=now),
        pool=overview.pool,
        accounts=tuple(_condition(row) for row in overview.rows),
        figures=figures,
    )


@get("/api/models", opt={"passive": True}, tags=["models"])
async def list_models(sources: Injected[Sources]) -> ModelList:
    """The models the accounts have reported, and what names stand for."""
    accounts = [account.id for account in await sources.accounts.list()]
    live = await sources.live_settings.read()
    return ModelList(
        models=await load_models(sources.redis, accounts),
        default_model=live.default_model,
        aliases=names_in_force(live, await sources.replicas.all()).aliases,
        disabled=live.disabled_models or (),
    )


def _condition(row: AccountRow) -> AccountStatusBody:
    return AccountStatusBody(
        account=row.id,
        name=row.name,
        word=row.condition.word.value,
        until=row.condition.until,
        code=row.condition.code,
        needs_attention=row.condition.needs_attention,
        windows=row.bars,
    )
