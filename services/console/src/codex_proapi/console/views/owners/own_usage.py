"""What the pool used of some accounts: in the last days, by day and by model. Without keys."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from codex_proapi.commons.prices.list_prices import Price
from codex_proapi.commons.prices.token_costs import cost_of, price_of, rounded
from codex_proapi.commons.usage.counters import Counters, key_and_model
from codex_proapi.commons.usage.sums import Sums
from codex_proapi.console.costs.cost_reader import cost_of_subject
from codex_proapi.console.views.sources import Sources

DAYS = 30
"""Days that are shown."""
SPANS = (1, 7, DAYS)
"""Days of each of the sums."""


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """The usage of one day, model or span."""

    name: str
    """The day `2026-11-24`, or the model; of a sum its days."""
    requests: int
    input: int
    cached: int
    output: int
    dollars: Decimal | None = None
    """What it would cost at list prices; None where nothing has a price, and of days."""

    @property
    def tokens(self) -> int:
        """Input and output."""
        return self.input + self.output


class OwnUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What the pool used of one account."""

    sums: tuple[Used, ...]
    """Of today, seven days, thirty days."""
    days: tuple[Used, ...]
    """Days with usage, the newest first."""
    models: tuple[Used, ...]
    """By model in all the days, the most used first."""


async def usage_of(sources: Sources, account_ids: Sequence[str]) -> Mapping[str, OwnUsage]:
    """What the pool used of these accounts, by id."""
    if not account_ids:
        return {}
    days = list((await sources.calendar()).days_back(sources.clock(), DAYS))
    read = await sources.usage.read("account", days, subjects=account_ids)
    models = await sources.usage.models_of_accounts(account_ids, days)
    prices = await sources.prices.all()
    newest = sorted(days, reverse=True)
    return {
        account_id: own_usage(
            [(day, read[day].get(account_id, Counters())) for day in newest],
            _models(account_id, models),
            prices,
        )
        for account_id in account_ids
    }


def own_usage(
    days: Sequence[tuple[str, Counters]],
    models: Mapping[str, Counters],
    prices: Mapping[str, Price],
) -> OwnUsage:
    """The usage of one account.

    Args:
        days: Its counters by day, the newest first.
        models: The same by model.
        prices: List prices by model.
    """
    sums = []
    for span in SPANS:
        total = Counters()
        for _, counters in days[:span]:
            total.add(counters)
        sums.append(_used(str(span), total))
    whole = Counters()
    for _, counters in days:
        whole.add(counters)
    known = cost_of_subject(whole, models, prices).known
    sums[-1] = msgspec.structs.replace(sums[-1], dollars=None if known is None else rounded(known))
    by_model = [
        _used(model, counters, dollars=_dollars(counters, price_of(model, prices)))
        for model, counters in models.items()
    ]
    return OwnUsage(
        sums=tuple(sums),
        days=tuple(_used(day, counters) for day, counters in days if counters.requests),
        models=tuple(sorted(by_model, key=lambda each: (-each.tokens, each.name))),
    )


def _models(account_id: str, models: Sums) -> dict[str, Counters]:
    named = {key_and_model(subject): counters for subject, counters in models.items()}
    return {model: counters for (owner, model), counters in named.items() if owner == account_id}


def _dollars(counters: Counters, price: Price | None) -> Decimal | None:
    known = cost_of(counters, price).known
    return None if known is None else rounded(known)


def _used(name: str, counters: Counters, *, dollars: Decimal | None = None) -> Used:
    return Used(
        name=name,
        requests=counters.requests,
        input=counters.input,
        cached=counters.cached,
        output=counters.output,
        dollars=dollars,
    )
