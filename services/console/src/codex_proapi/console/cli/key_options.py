"""Options of the commands that create and change an API key."""

import datetime as dt
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
import rich_click as click

from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.api_keys.model_fallbacks import pairs_of
from codex_proapi.commons.api_keys.store import LEAST_WEIGHT, MOST_WEIGHT
from codex_proapi.commons.codex.model_catalogue import EFFORTS
from codex_proapi.commons.usage.calendar import Calendar
from codex_proapi.console.api.keys import KeyChange

F = TypeVar("F", bound=Callable[..., Any])

SPAN: Final = r"([0-9]{1,6})(s|m|h|d|w)"
SPANS: Final = {"m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
LIMITS: Final = (
    ("rpm", "Requests a minute; 0 is no limit, and so below."),
    ("tpm", "Tokens a minute."),
    ("concurrent", "Requests at the same time."),
    ("tokens_day", "Tokens a day (of the team's time zone)."),
    ("tokens_week", "Tokens in seven days."),
    ("tokens_month", "Tokens a calendar month (of the team's time zone)."),
)
MONEY: Final = (
    (
        "usd_day",
        "Cost a day at list prices in US dollars, as `12.50`; models without a price take none.",
    ),
    ("usd_week", "The same in seven days."),
    ("usd_month", "The same a calendar month."),
)
"""Limits in dollars; the key has them as `micro_…`."""
PLAIN: Final = (
    *("owner", "group", "default_model", "default_effort", "reasoning_summary", "weight"),
    *("max_effort", "fast_tier", "model_fallbacks", "small_work_models"),
)
SUMMARIES: Final = ("none", "auto", "concise", "detailed", "")
"""Options whose values are fields of a key."""


class Fallbacks(click.ParamType[str]):
    """Pairs of models such as `gpt-6.2-sol=gpt-6-luna`, with commas; or `none`."""

    name = "fallbacks"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Read it."""
        text = str(value)
        if text not in ("", "none") and len(pairs_of(text)) != text.count(",") + 1:
            self.fail(f"{text!r} is none of `model=other`, with commas, or `none`", param, ctx)
        return text


class Dollars(click.ParamType[int]):
    """An amount of dollars such as `12.50`: millionths of a dollar."""

    name = "dollars"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """Read it."""
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", value):
            self.fail(
                f"{value!r} is no amount such as 12.50, with at most six decimals", param, ctx
            )
        return int(Decimal(value) * 10**6)


class Span(click.ParamType[int]):
    """A time such as `90s`, `24h`, `7d`: seconds."""

    name = "span"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """Read it."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(SPAN, value)
        if not found:
            self.fail(f"{value!r} is no time such as 90s, 24h or 7d", param, ctx)
        return int(found[1]) * SPANS.get(found[2], 1)


Ending: TypeAlias = Callable[[float, Calendar], int]
"""Gives when a key ends, from the time of now and the team's calendar; 0 is never."""


class End(click.ParamType[Ending]):
    """When a key ends: `30d`, `2026-12-31` (the end of that day, of the team) or `never`."""

    name = "end"
    told = "`30d`, `2026-12-31` (the end of that day in the team's time zone) or `never`"

    def convert(self, value: Any, param: Any, ctx: Any) -> Ending:
        """Read it."""
        if callable(value):
            return value  # type: ignore[no-any-return]
        if value == "never":
            return lambda _now, _calendar: 0
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            try:
                after = (dt.date.fromisoformat(value) + dt.timedelta(days=1)).isoformat()
            except (ValueError, OverflowError):
                self.fail(f"there is no day {value}", param, ctx)
            return lambda _now, calendar: calendar.begin_of(after)
        if not re.fullmatch(SPAN, value):
            self.fail(f"{value!r} is none of 30d, 2026-12-31 or never", param, ctx)
        span = Span().convert(value, param, ctx)
        return lambda now, _calendar: int(now) + span


def key_options(command: F) -> F:
    """Options for everything a key may be, but its name. What is not given is None or ()."""
    options = [
        click.option("--owner", help="Whose it is."),
        click.option("--group", help="Group of keys it belongs to, by which owners admit it to their accounts; empty is none."),
        click.option("--expires", type=End(), help=f"{End.told}."),
        click.option("--model", "models", multiple=True, help="May ask for it; again for more, `all` for all."),
        click.option("--account", "accounts", multiple=True, help="May spend it (id or name); again for more, `all` for all."),
        click.option("--default-model", help="Where a client names none."),
        click.option("--default-effort", help="Reasoning effort where a client names none."),
        click.option("--reasoning-summary", type=click.Choice(SUMMARIES), help="Reasoning summary where a client asks for none; empty is the setting's."),
        click.option("--max-effort", type=click.Choice((*EFFORTS, "")), help="Highest reasoning effort, higher ones are lowered; empty is any."),
        click.option("--fast-tier", type=click.Choice(("", "ignore", "refuse")), help="Requests for the fast tier: allowed (empty), the tier left out, or refused."),
        click.option("--model-fallbacks", type=Fallbacks(), help="`model=other,…` while no account can serve the first; `none`; empty is the setting's."),
        click.option("--small-work-models", type=Fallbacks(), help="`class=model,…` for small work such as `auxiliary`; `none`; empty is the setting's."),
        click.option("--weight", type=click.FloatRange(LEAST_WEIGHT, MOST_WEIGHT), help="Its share when the pool is scarce; 1 is everybody's."),
        *(click.option(f"--{name.replace('_', '-')}", type=click.IntRange(min=0), help=told) for name, told in LIMITS),
        *(click.option(f"--{name.replace('_', '-')}", type=Dollars(), help=told) for name, told in MONEY),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def facts_of(
    provided: dict[str, Any], *, now: float, limits: Limits, calendar: Calendar
) -> dict[str, Any]:
    """The fields of a key that the options name; `limits` are those it has so far."""
    facts = {name: provided[name] for name in PLAIN if provided[name] is not None}
    if provided["expires"] is not None:
        facts["expires_at"] = end_of(provided["expires"], now=now, calendar=calendar)
    for option, field in (("models", "allowed_models"), ("accounts", "allowed_accounts")):
        if provided[option]:
            facts[field] = () if "all" in provided[option] else provided[option]
    changed = {name: provided[name] for name, _ in LIMITS if provided[name] is not None}
    changed |= {f"micro_{name}": provided[name] for name, _ in MONEY if provided[name] is not None}
    if changed:
        facts["limits"] = msgspec.structs.replace(limits, **changed)
    return _checked(facts)


def _checked(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts, if the console's API would take them; else click.BadParameter names the option."""
    if math.isnan(facts.get("weight", 1)):
        raise click.BadParameter("that is no number", param_hint="--weight")
    try:
        msgspec.convert(msgspec.to_builtins(facts), KeyChange)
    except msgspec.ValidationError as error:
        told, _, where = str(error).partition(" - at `$.")
        field = where.rstrip("`").split(".")[-1].partition("[")[0]
        option = {"allowed_models": "model", "allowed_accounts": "account", "expires_at": "expires"}
        name = option.get(field, field).removeprefix("micro_").replace("_", "-")
        if "matching regex" in told and field == "owner":
            told = "one line without control characters is needed"
        raise click.BadParameter(told.replace("`", ""), param_hint=f"--{name}") from None
    return facts


def end_of(ending: Ending | None, *, now: float, calendar: Calendar) -> int:
    """When that is, seconds since the epoch; 0 is never. BadParameter for what is over."""
    end = ending(now, calendar) if ending else 0
    if 0 < end <= now:
        raise click.BadParameter("that time is over", param_hint="--expires")
    return end
