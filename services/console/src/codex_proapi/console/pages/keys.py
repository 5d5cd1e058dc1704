"""The page of the API keys."""

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.commons.cluster.live_settings import KeyPolicy, ReasoningSummary
from codex_proapi.console.layout.layout import AnyRequest, page, policy
from codex_proapi.console.pages.models import offered_models
from codex_proapi.console.views.account_list import load_accounts
from codex_proapi.console.views.key_list import (
    KeyQuery,
    chosen,
    groups_of,
    owners_of,
    query_of,
    state_of,
)
from codex_proapi.console.views.paging import ListPage, page_of
from codex_proapi.console.views.sources import Sources

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
"""Reasoning efforts from the least to the most; a model may know fewer."""
SUMMARIES = tuple(each.value for each in ReasoningSummary if each is not ReasoningSummary.MODEL)
"""Reasoning summaries a key may have."""


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One key, ready to be shown."""

    id: str
    name: str
    owner: str
    group: str
    prefix: str
    state: str
    """`active`, `expired` or `revoked`."""
    last_used_at: int
    expires_at: int
    limits: tuple[tuple[str, int], ...]
    """The limits that are set."""
    weight: float
    """Its weight for fair shares; 1 is the default."""
    models: tuple[str, ...]
    tokens_today: int
    form: str
    """What its form begins with, as JSON."""


class KeysView(msgspec.Struct, frozen=True, kw_only=True):
    """All the page shows."""

    listed: ListPage[KeyRow]
    total: int
    query: KeyQuery
    owners: tuple[str, ...]
    groups: tuple[str, ...]
    """Names of groups of keys, in alphabetical order."""
    required: bool
    """Whether requests without a key are refused even before the first is made."""
    models: list[str]
    accounts: tuple[tuple[str, str], ...]
    """Ids and names, by name."""
    efforts: tuple[str, ...] = EFFORTS
    summaries: tuple[str, ...] = SUMMARIES


@get("/keys", opt={"page": True}, include_in_schema=False)
async def keys_page(request: AnyRequest, sources: NamedDependency[Sources]) -> Response[str]:
    """Every API key."""
    overview = await load_accounts(sources)
    now = sources.clock()
    day = (await sources.calendar()).day_of(now)
    found = await sources.keys.list()
    used = (await sources.usage.read("key", [day]))[day]
    tokens = {key_id: counters.input + counters.output for key_id, counters in used.items()}
    query = query_of(request.query_params)
    one = page_of(
        chosen(found, query, now=now, tokens=tokens),
        request.query_params,
        text=lambda key: f"{key.name} {key.owner} {key.group} {key.prefix} {key.id}",
    )
    rows = [row_of(key, now=now, tokens_today=tokens.get(key.id, 0)) for key in one.rows]
    view = KeysView(
        listed=ListPage(**{**msgspec.structs.asdict(one), "rows": tuple(rows)}),
        total=len(found),
        query=query,
        owners=owners_of(found),
        groups=groups_of(found),
        required=await policy(sources) is KeyPolicy.REQUIRED,
        models=await offered_models(sources, overview),
        accounts=tuple(
            sorted(((row.id, row.name) for row in overview.rows), key=lambda one: one[1].casefold())
        ),
    )
    return await page(request, sources, overview, "keys.html", view=view)


def row_of(key: ApiKey, *, now: float, tokens_today: int) -> KeyRow:
    """One key as the page shows it."""
    limits = msgspec.structs.asdict(key.limits)
    form = {
        "id": key.id,
        "revoked": key.revoked,
        "name": key.name,
        "owner": key.owner,
        "group": key.group,
        "limits": limits,
        "weight": key.weight,
        "allowed_models": key.allowed_models,
        "allowed_accounts": key.allowed_accounts,
        "default_model": key.default_model,
        "default_effort": key.default_effort,
        "reasoning_summary": key.reasoning_summary,
        "max_effort": key.max_effort,
        "fast_tier": key.fast_tier,
        "model_fallbacks": key.model_fallbacks,
        "small_work_models": key.small_work_models,
    }
    return KeyRow(
        id=key.id,
        name=key.name,
        owner=key.owner,
        group=key.group,
        prefix=key.prefix,
        state=state_of(key, now),
        last_used_at=key.last_used_at,
        expires_at=key.expires_at,
        limits=tuple((name, value) for name, value in limits.items() if value),
        weight=key.weight,
        models=key.allowed_models,
        tokens_today=tokens_today,
        form=msgspec.json.encode(form).decode(),
    )
