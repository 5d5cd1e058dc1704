"""What usage would cost at list prices: read from token counts, for the rows of a day or month."""

import asyncio
from collections.abc import Mapping, Sequence

from codex_proapi.commons.prices.list_prices import Price
from codex_proapi.commons.prices.token_costs import Cost, cost_of, price_of, total_cost
from codex_proapi.commons.usage.counters import (
    MODELS_OF_KEYS,
    Counters,
    UsageKind,
    UsageStore,
    key_and_model,
)
from codex_proapi.commons.usage.sums import Sums

Costs = Mapping[str, Cost]
"""By subject."""
SUBJECTS_AT_ONCE = 200
"""Subjects whose costs are worked out at once: some three milliseconds of the loop."""


class CostReader:
    """The costs of one reading of usage.

    Args:
        usage: Has the counters by model.
        prices: By model.
        by: What the subjects are.
        days: Which days are read.
        model: The one model that the usage is of; empty is all.
    """

    def __init__(
        self,
        usage: UsageStore,
        prices: Mapping[str, Price],
        *,
        by: UsageKind,
        days: Sequence[str],
        model: str = "",
    ) -> None:
        self._usage = usage
        self._prices = prices
        self._by = by
        self._days = days
        self._model = model

    def __repr__(self) -> str:
        return f"<CostReader by {self._by}>"

    async def of(self, period: str, sums: Sums) -> Costs:
        """The costs of the subjects of one day (`2026-11-24`) or month; empty is all the days."""
        model = self._model
        if self._by == "model" or model:
            return {
                subject: cost_of(counters, price_of(model or subject, self._prices))
                for subject, counters in sums.items()
            }
        days = [day for day in self._days if day.startswith(period)]
        by_model: dict[str, dict[str, Counters]] = {}
        for subject, counters in (await self._models(list(sums), days)).items():
            owner, name = key_and_model(subject)
            by_model.setdefault(owner, {})[name] = counters
        costs: dict[str, Cost] = {}
        for number, (subject, counters) in enumerate(sums.items(), start=1):
            costs[subject] = cost_of_subject(counters, by_model.get(subject, {}), self._prices)
            if number % SUBJECTS_AT_ONCE == 0:
                await asyncio.sleep(0)  # others are served in between
        return costs

    async def total(self, counters: Counters, sums: Sums) -> Cost:
        """The cost of all the days' usage together.

        Args:
            counters: Its sum.
            sums: The same by subject.
        """
        if self._by == "model" or self._model:
            return total_cost((await self.of("", sums)).values())
        models = await self._usage.total("model", self._days)
        return cost_of_subject(counters, models, self._prices)

    async def _models(self, subjects: Sequence[str], days: Sequence[str]) -> Sums:
        if self._by == "account":
            return await self._usage.models_of_accounts(subjects, days)
        return await self._usage.total(MODELS_OF_KEYS, days, subjects=subjects)


def cost_of_subject(
    counters: Counters, by_model: Mapping[str, Counters], prices: Mapping[str, Price]
) -> Cost:
    """The cost of a key's or an account's usage.

    What its models do not tell of counts as without a price.
    """
    cost = total_cost(cost_of(each, price_of(model, prices)) for model, each in by_model.items())
    missing = counters.input + counters.output - cost.priced - cost.unpriced
    return cost + Cost(unpriced=max(0, missing))
