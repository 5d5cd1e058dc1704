"""Rate limit headers of responses of the Messages API, from the limits of the client's key.

`anthropic-ratelimit-requests-*` and `-tokens-*` are of Anthropic's API reference ("Rate limits",
2026), the unified ones of Claude Code's gateway contract (`claude gateway`, 2.1.332).
"""

import datetime as dt
import math
from typing import Final

from codex_proapi.commons.api_keys.budgets import Budget, budgets_of
from codex_proapi.gateway.api.dialects.limit_headers import limit_headers
from codex_proapi.gateway.formats.anthropic.errors import BUDGET_PREFIX
from codex_proapi.gateway.limits.limit_charge import Allowance, LimitCharge
from codex_proapi.gateway.server.asgi import Header

PREFIX: Final = "anthropic-ratelimit-"
WARNING_STEPS: Final = (95, 75)
"""Percent used from which a client warns, the highest first."""
MOST_TOLD: Final = 0.99
"""Most of a budget that an answer says is used: from 1 on a client takes it for spent."""


def headers_of_limits(charge: LimitCharge | None, codex: bool) -> list[Header]:  # noqa: ARG001, FBT001 - a dialect's signature
    """All rate limit headers: of the limits of a minute by both makers' names, and of budgets."""
    allowance = charge.allowance if charge is not None else None
    if charge is None or allowance is None:
        return []
    told = [*_minute(charge, allowance), *_budget(charge, allowance)]
    return [*limit_headers(charge), *((n.encode(), v.encode()) for n, v in told)]


def _minute(charge: LimitCharge, allowance: Allowance) -> list[tuple[str, str]]:
    told: list[tuple[str, str]] = []
    for name, limit, left, reset in (
        ("requests", charge.limits.rpm, allowance.requests_left, allowance.requests_reset),
        ("tokens", charge.limits.tpm, allowance.tokens_left, allowance.tokens_reset),
    ):
        if limit:
            told += [
                (f"{PREFIX}{name}-limit", str(limit)),
                (f"{PREFIX}{name}-remaining", str(left)),
                (f"{PREFIX}{name}-reset", _time(allowance.at + reset)),
            ]
    return told


def _budget(charge: LimitCharge, allowance: Allowance) -> list[tuple[str, str]]:
    """The fullest budget; nothing without one, or if one is spent: the error tells of that."""
    budgets = budgets_of(
        charge.limits, allowance.spent, allowance.at, charge.calendar, cost=allowance.cost
    )
    if not budgets or allowance.refused:
        return []
    fullest = max(budgets, key=_used)
    used = _used(fullest)
    step = next((step for step in WARNING_STEPS if used * 100 >= step), None)
    status = "allowed" if step is None else "allowed_warning"
    told = {
        "status": status,
        "representative-claim": "overage",
        "overage-status": status,
        "overage-utilization": f"{min(used, MOST_TOLD):.2f}",
        "reset": str(fullest.resets_at),
        "overage-reset": str(fullest.resets_at),
    }
    if step is not None:
        told["overage-surpassed-threshold"] = str(step / 100)
    return [(BUDGET_PREFIX + name, value) for name, value in told.items()]


def _used(budget: Budget) -> float:
    return budget.spent / budget.limit


def _time(seconds: float) -> str:
    """A time as RFC 3339 has it, rounded up to seconds."""
    return dt.datetime.fromtimestamp(math.ceil(seconds), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
