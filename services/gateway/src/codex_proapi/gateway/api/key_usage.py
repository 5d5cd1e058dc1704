"""GET /v1/usage: what a key may use, what it has used of its budgets, and its counters by day."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from codex_proapi.commons.api_keys.budgets import PERIODS, Budget
from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.commons.prices.token_costs import Cost
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.counters import Counters
from codex_proapi.gateway.errors import BadRequest, StoreUnreachable
from codex_proapi.gateway.limits.visible_quota import KeyQuota

DAYS: Final = 7
"""Days shown where the client asks for no number."""
MOST_DAYS: Final = 31


async def usage_of(key: ApiKey | None, quota: KeyQuota, query: Mapping[str, str]) -> bytes:
    """The figures of a key as JSON; None for clients without a key.

    Raises:
        BadRequest: `days` is no number from 1 to MOST_DAYS.
        StoreUnreachable: the counters do not answer.
    """
    days = _days(query.get("days", str(DAYS)))
    try:
        figures = await quota.figures(key, days)
    except StoreUnavailable:
        raise StoreUnreachable("The counters do not answer. Please try again.") from None
    limits = msgspec.to_builtins(key.limits) if key is not None else {}
    return msgspec.json.encode(
        {
            "object": "usage",
            "key": {"id": key.id, "name": key.name} if key is not None else None,
            "limits": {name: value for name, value in limits.items() if value},
            "budgets": _budgets(figures.budgets),
            "days": [
                _day(day, counted, figures.costs[day]) for day, counted in figures.days.items()
            ],
        }
    )


def _days(asked: str) -> int:
    days = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 4 else 0  # noqa: PLR2004
    if not 1 <= days <= MOST_DAYS:
        raise BadRequest(f"'days' must be a number from 1 to {MOST_DAYS}", param="days")
    return days


def _budgets(budgets: Sequence[Budget]) -> list[dict[str, Any]]:
    return [
        {
            "period": PERIODS[budget.minutes],
            "unit": budget.unit.value,
            "limit": budget.limit,
            "used": budget.spent,
            "remaining": max(0, budget.limit - budget.spent),
            "resets_at": budget.resets_at,
        }
        for budget in budgets
    ]


def _day(day: str, counted: Counters, cost: Cost) -> dict[str, Any]:
    return {
        "date": day,
        "requests": counted.requests,
        "errors": counted.errors,
        "input_tokens": counted.input,
        "cached_tokens": counted.cached,
        "output_tokens": counted.output,
        "reasoning_tokens": counted.reasoning,
        "estimated_tokens": counted.estimated,
        "cost_usd": None if cost.known is None else f"{cost.known:f}",
        "unpriced_tokens": cost.unpriced,
    }
