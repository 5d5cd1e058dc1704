"""The models page: which there are, which accounts have them, how much is left for each."""

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from codex_proapi.commons.usage.calendar import calendar_of
from codex_proapi.console.accounts.model_names import ModelNames, NamesInForce, names_in_force
from codex_proapi.console.accounts.models_seen import ALWAYS, SeenModel, load_models
from codex_proapi.console.layout.layout import AnyRequest, page
from codex_proapi.console.views.account_list import (
    AccountOverview,
    AccountRow,
    load_accounts,
    spendable,
)
from codex_proapi.console.views.quota_windows import Bar, pool_bars
from codex_proapi.console.views.sources import Sources


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One model, ready to be shown."""

    id: str
    name: str
    context: int
    efforts: tuple[str, ...]
    default_effort: str
    is_default: bool
    enabled: bool
    disabling: tuple[str, ...]
    """What `disabled_models` becomes when the switch is turned."""
    accounts: tuple[AccountRow, ...]
    ready: int
    bars: tuple[Bar, ...]
    aliases: tuple[str, ...]
    tokens_today: int


class CatalogueView(msgspec.Struct, frozen=True, kw_only=True):
    """All the page of the models shows."""

    models: tuple[ModelRow, ...]
    waiting: bool
    """Whether there are accounts that have not reported yet."""


@get("/catalogue", opt={"page": True}, include_in_schema=False)
async def catalogue_page(request: AnyRequest, sources: NamedDependency[Sources]) -> Response[str]:
    """Every model the accounts have."""
    overview = await load_accounts(sources)
    view = CatalogueView(models=await _rows(sources, overview), waiting=bool(overview.rows))
    return await page(request, sources, overview, "catalogue.html", view=view)


async def _rows(sources: Sources, overview: AccountOverview) -> tuple[ModelRow, ...]:
    seen = await load_models(sources.redis, [row.id for row in overview.rows])
    live = await sources.live_settings.read()
    day = calendar_of(live.time_zone).day_of(sources.clock())
    used = (await sources.usage.read("model", [day]))[day]
    disabled = live.disabled_models or ()
    known = names_in_force(live, await sources.replicas.all())
    default = default_of(seen, disabled=disabled, known=known)
    aliases = known.aliases
    names_of = ModelNames(seen, aliases=aliases)
    targets = {name: names_of.model_of(name) for name in aliases}
    by_id = {row.id: row for row in overview.rows}

    def row(model: SeenModel) -> ModelRow:
        accounts = tuple(by_id[account_id] for account_id in model.accounts if account_id in by_id)
        counters = used.get(model.id)
        off = model.id in disabled
        names = [name for name, target in targets.items() if target == model.id]
        if model.id == default:
            names += [n for n in ALWAYS if n not in aliases and all(n != m.id for m in seen)]
        others = tuple(name for name in disabled if name != model.id)
        return ModelRow(
            id=model.id,
            name=model.name,
            context=model.context,
            efforts=model.efforts,
            default_effort=model.default_effort,
            is_default=model.id == default,
            enabled=not off,
            disabling=others if off else (*others, model.id),
            accounts=accounts,
            ready=sum(account.ready for account in accounts),
            bars=pool_bars(
                [
                    spendable(account, account.bars_for(model.id))
                    for account in accounts
                    if not account.condition.answers_never
                ],
                now=overview.at,
            ),
            aliases=tuple(names),
            tokens_today=counters.input + counters.output if counters else 0,
        )

    return tuple(row(model) for model in seen)


def default_of(models: list[SeenModel], *, disabled: tuple[str, ...], known: NamesInForce) -> str:
    """The model for a client that names none: the one that is set, else the best offered.

    What is set may be an alias, a family's name, or one with an effort, as in a request.
    """
    offered = [model.id for model in models if model.id not in disabled]
    wanted = ModelNames(models, aliases=known.aliases).model_of(known.default_model)
    if wanted in offered:
        return wanted
    return offered[0] if offered else ""


async def offered_models(sources: Sources, overview: AccountOverview) -> list[str]:
    """Names to choose from elsewhere, the default first; never empty."""
    seen = await load_models(sources.redis, [row.id for row in overview.rows])
    live = await sources.live_settings.read()
    disabled = live.disabled_models or ()
    known = names_in_force(live, await sources.replicas.all())
    default = default_of(seen, disabled=disabled, known=known)
    names = [model.id for model in seen if model.id not in disabled]
    return sorted(names, key=lambda name: name != default) or list(ALWAYS)
