"""The page of one API key, for whoever has signed in with it."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.enums import MediaType

from codex_proapi.commons.api_keys.budgets import PERIODS, Budget
from codex_proapi.commons.api_keys.limits import Limits, Unit
from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.commons.prices.token_costs import Cost, cost_of, price_of, rounded
from codex_proapi.commons.usage.exchange_record import ExchangeRecord
from codex_proapi.console.api.holders.entry import key_of
from codex_proapi.console.auth.identity import identity_of
from codex_proapi.console.holders.key_records import KeyRecords, MinuteUse
from codex_proapi.console.holders.key_sessions import KeySessions
from codex_proapi.console.holders.windows import LONGEST, Window, windows_of
from codex_proapi.console.layout.layout import AnyRequest, base_url, preferences
from codex_proapi.console.layout.rendering import render
from codex_proapi.console.pages.models import offered_models
from codex_proapi.console.views.account_list import load_accounts
from codex_proapi.console.views.quota_windows import Tone, tone_of
from codex_proapi.console.views.snippets import CLIENTS, Snippet, snippets
from codex_proapi.console.views.sources import Sources

KEY_PAGE: Final = "/key"
MOST_REQUESTS: Final = 12
"""Latest requests that are shown."""
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9]+")


class LatestRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One of the key's latest requests, without what was said."""

    record: ExchangeRecord
    dollars: Decimal | None
    """What it would cost, exact; None without a price."""


class WindowRow(msgspec.Struct, frozen=True, kw_only=True):
    """One window as it is shown."""

    window: Window
    dollars: Decimal | None
    """Its cost in whole cents; None where no token has a price."""


class LimitRow(msgspec.Struct, frozen=True, kw_only=True):
    """One limit of the key and what is left of it."""

    name: str
    """As in `Limits`."""
    limit: int
    used: int
    resets_at: int = 0
    """Seconds since the epoch; 0 for what slides."""
    money: bool = False
    """Whether these are millionths of a dollar."""

    @property
    def left(self) -> int:
        """What may still be used."""
        return max(0, self.limit - self.used)

    @property
    def left_percent(self) -> float:
        """The same of a hundred."""
        return 100 * self.left / self.limit

    @property
    def tone(self) -> Tone:
        """How that is meant."""
        return tone_of(self.left_percent)


class KeyPageView(msgspec.Struct, frozen=True, kw_only=True):
    """All the page shows."""

    key: ApiKey
    now: float
    windows: tuple[WindowRow, ...]
    limits: tuple[LimitRow, ...]
    latest: tuple[LatestRequest, ...]
    time_zone: str
    base_url: str
    models: list[str]
    client: str
    """The client whose settings are shown first."""
    clients: tuple[Snippet, ...]
    placeholder: str
    """What stands for the secret in them."""


@get(KEY_PAGE, opt={"public": True, "page": True, "passive": True}, include_in_schema=False)
async def key_page(
    request: AnyRequest,
    sources: NamedDependency[Sources],
    key_sessions: NamedDependency[KeySessions],
    key_records: NamedDependency[KeyRecords],
) -> Response[str]:
    """The figures of the key that this browser has signed in with, or the way to sign in."""
    csrf = identity_of(request.scope).csrf
    key = await key_of(request, key_sessions)
    if key is None:
        html = render("key_sign_in.html", preferences(request), page="key_sign_in", csrf=csrf)
        return Response(html, media_type=MediaType.HTML)
    view = await _view(request, sources, key_records, key)
    html = render("key_page.html", preferences(request), page="key_page", csrf=csrf, view=view)
    return Response(html, media_type=MediaType.HTML, headers={"vary": "cookie, accept-language"})


async def _view(
    request: AnyRequest, sources: Sources, records: KeyRecords, key: ApiKey
) -> KeyPageView:
    now, calendar, prices = sources.clock(), await sources.calendar(), await sources.prices.all()
    logged = await records.log(key.id, since=now - LONGEST)
    windows = windows_of(
        logged.records,
        await records.hours(key.id, calendar=calendar, now=now),
        reaches_to=logged.reaches_to,
        prices=prices,
        now=now,
    )
    budgets = await records.budgets(key, prices=prices, calendar=calendar, now=now)
    models = await _models(sources, key)
    placeholder = placeholder_of(key.name)
    address, wanted = base_url(request, sources), request.query_params.get("client", "")
    return KeyPageView(
        key=key,
        now=now,
        windows=tuple(WindowRow(window=each, dollars=_cents(each.cost)) for each in windows),
        limits=(
            *_minute_limits(key.limits, await records.minute(key.id, now=now)),
            *map(_budget_row, budgets),
        ),
        latest=tuple(
            LatestRequest(
                record=each,
                dollars=cost_of(each.tokens, price_of(each.counted_model, prices)).known,
            )
            for each in logged.records[:MOST_REQUESTS]
        ),
        time_zone=calendar.zone,
        base_url=address,
        models=models,
        client=wanted if wanted in CLIENTS else next(iter(CLIENTS)),
        clients=snippets(base_url=address, model=models[0], key=placeholder),
        placeholder=placeholder,
    )


def _minute_limits(limits: Limits, used: MinuteUse) -> Iterator[LimitRow]:
    """Limits of a minute and of what is under way."""
    kinds = (
        ("rpm", limits.rpm, used.requests),
        ("tpm", limits.tpm, used.tokens),
        ("concurrent", limits.concurrent, used.streams),
    )
    for name, limit, count in kinds:
        if limit:
            yield LimitRow(name=name, limit=limit, used=count)


def _budget_row(budget: Budget) -> LimitRow:
    return LimitRow(
        name=f"{budget.unit}_{PERIODS[budget.minutes]}",
        limit=budget.limit,
        used=budget.spent,
        resets_at=budget.resets_at,
        money=budget.unit is Unit.MICRO_USD,
    )


async def _models(sources: Sources, key: ApiKey) -> list[str]:
    """The models the key may use, its own default first; never empty."""
    offered = await offered_models(sources, await load_accounts(sources))
    allowed = [m for m in offered if not key.allowed_models or m in key.allowed_models]
    found: Sequence[str] = allowed or key.allowed_models or offered
    return sorted(found, key=lambda model: model != key.default_model)


def placeholder_of(name: str) -> str:
    """What stands for the secret of a key in settings: its name, safe in every file and shell."""
    plain = _UNSAFE.sub("_", name).strip("_").upper()
    return f"KEY_{plain}"[:60] if plain else "YOUR_KEY"


def _cents(cost: Cost) -> Decimal | None:
    return None if cost.known is None else rounded(cost.known)
