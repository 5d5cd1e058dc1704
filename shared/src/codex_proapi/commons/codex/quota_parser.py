"""Parses quota as the backend reports it: in headers, in an event, and in its usage answer.

Windows are identified by their length, never by their slot: some accounts have the weekly window as
`primary`. What a spent window means for an account is decided elsewhere (`gateway.policy`).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, read_any

DEFAULT_FAMILY: Final = "codex"
SPENT_PERCENT: Final = 100.0
MOST: Final = 1e11
"""Beyond it nothing is a percentage, a length or a time: as a time it is the year 5138."""
NAMED_WINDOWS: Final = (
    ("five_hour", 285, 315),
    ("weekly", 9_576, 10_584),
    ("monthly", 40_320, 44_640),
)
"""Names of windows with the shortest and longest length in minutes that bear them."""

_WINDOW_HEADER: Final = re.compile(
    r"x-(codex(?:-[a-z0-9-]+?)?)-(primary|secondary)-"
    r"(used-percent|window-minutes|reset-at|reset-after-seconds)"
)
_NAME_HEADER: Final = re.compile(r"x-(codex-[a-z0-9-]+)-limit-name")


def window_name(minutes: int) -> str:
    """`five_hour`, `weekly`, `monthly`, else by the length in minutes."""
    for name, shortest, longest in NAMED_WINDOWS:
        if shortest <= minutes <= longest:
            return name
    return f"{minutes}_minutes"


class QuotaWindow(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one quota window is used, and when it resets."""

    minutes: int
    """Its length; 0 where upstream did not say."""
    used_percent: float
    """0 to 100, sometimes beyond."""
    resets_at: int = 0
    """When it resets, seconds since the epoch; 0 is unknown."""
    resets_in: int | None = None
    """The same as seconds from the answer that said so."""

    @property
    def name(self) -> str:
        """`five_hour`, `weekly`, `monthly`, else by its length in minutes."""
        return window_name(self.minutes)

    @property
    def spent(self) -> bool:
        """Whether nothing is left of it."""
        return self.used_percent >= SPENT_PERCENT


class QuotaFamily(msgspec.Struct, frozen=True, kw_only=True):
    """The windows of one limit: the general one, or one for a family of models."""

    id: str
    """`codex` is the general one, `codex_…` belongs to some models."""
    name: str = ""
    """What upstream calls it in words, often the model's name."""
    stands_for: str = ""
    """The model that a reserve serves (`normal_model_slug`)."""
    windows: tuple[QuotaWindow, ...] = ()
    """From the shortest to the longest."""


class Credits(msgspec.Struct, frozen=True, kw_only=True):
    """Bought credits beside the plan's windows."""

    has_credits: bool = False
    unlimited: bool = False
    balance: str = ""
    """As upstream wrote it; no unit is given."""


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """The quota that one answer reports for an account; parts it did not report are empty."""

    plan: str = ""
    active_limit: str = ""
    """Upstream's name of the limit in force."""
    families: tuple[QuotaFamily, ...] = ()
    """The general limit first."""
    credits: Credits | None = None
    spending: QuotaWindow | None = None
    """A spending limit of the account alone, which some business plans have instead of windows."""
    reached: bool = False
    """Whether upstream says that a limit is reached."""
    reached_type: str = ""
    """Which kind of limit is reached, in upstream's words."""

    @property
    def windows(self) -> tuple[QuotaWindow, ...]:
        """The general limit's windows."""
        return next((f.windows for f in self.families if f.id == DEFAULT_FAMILY), ())

    @property
    def of_some_models(self) -> bool:
        """Whether the limit in force applies to some models only."""
        return _underscored(self.active_limit).startswith(f"{DEFAULT_FAMILY}_")

    @property
    def spent_window(self) -> QuotaWindow | None:
        """The longest general window with nothing left; its reset is the earliest time to retry."""
        return next((window for window in reversed(self.windows) if window.spent), None)


def quota_of_headers(headers: Mapping[str, str]) -> Quota | None:
    """The quota in an answer's `x-codex-*` headers, of any status; None when there is none."""
    lower = {name.lower(): value for name, value in headers.items()}
    slots: dict[str, dict[str, dict[str, str]]] = {}
    names: dict[str, str] = {}
    for header, value in lower.items():
        if found := _WINDOW_HEADER.fullmatch(header):
            family, slot, field = found.groups()
            fields = slots.setdefault(_underscored(family), {}).setdefault(slot, {})
            fields[_underscored(field)] = value
        elif found := _NAME_HEADER.fullmatch(header):
            names[_underscored(found[1])] = value
    quota = Quota(
        plan=lower.get("x-codex-plan-type", ""),
        active_limit=lower.get("x-codex-active-limit", ""),
        families=_families((id_, names.get(id_, ""), slots[id_]) for id_ in slots),
        credits=_credits(
            {
                "has_credits": lower.get("x-codex-credits-has-credits"),
                "unlimited": lower.get("x-codex-credits-unlimited"),
                "balance": lower.get("x-codex-credits-balance"),
            }
        ),
        reached_type=lower.get("x-codex-rate-limit-reached-type", ""),
        reached=bool(lower.get("x-codex-rate-limit-reached-type")),
    )
    return None if quota == Quota() else quota


def combined(earlier: Quota | None, later: Quota | None) -> Quota | None:
    """Two readings of one account merged; where both have a part, the later one counts."""
    if earlier is None or later is None:
        return later or earlier
    told = {family.id: family for family in (*earlier.families, *later.families)}
    return Quota(
        plan=later.plan or earlier.plan,
        active_limit=later.active_limit or earlier.active_limit,
        families=_ordered(told.values()),
        credits=later.credits or earlier.credits,
        spending=later.spending or earlier.spending,
        reached=later.reached,
        reached_type=later.reached_type,
    )


def quota_of_event(payload: bytes | msgspec.Raw) -> Quota | None:
    """The quota in a `codex.rate_limits` event; None when it cannot be read."""
    event = _object(payload)
    limits = _mapping(event.get("rate_limits"))
    if not event:
        return None
    metered = _text(event.get("metered_limit_name"))
    # Only names of this form are limits of some models; `premium` names the general one.
    family = metered if metered.startswith(f"{DEFAULT_FAMILY}_") else DEFAULT_FAMILY
    return Quota(
        plan=_text(event.get("plan_type")),
        active_limit=metered,
        families=_families([(family, _text(event.get("limit_name")), limits)]),
        credits=_credits(_mapping(event.get("credits"))),
        reached=_flag(limits.get("limit_reached")) or limits.get("allowed") is False,
        reached_type=_text(event.get("rate_limit_reached_type")),
    )


def quota_of_usage(payload: bytes) -> Quota | None:
    """The quota in the usage answer of the backend; None when it cannot be read."""
    usage = _object(payload)
    if not usage:
        return None
    general = _mapping(usage.get("rate_limit"))
    families = [(DEFAULT_FAMILY, "", general)]
    extras = usage.get("additional_rate_limits")
    for extra in extras if isinstance(extras, list) else ():
        limit = _mapping(extra)
        families.append(
            (
                _text(limit.get("metered_feature")),
                _text(limit.get("limit_name")),
                _mapping(limit.get("rate_limit")),
            )
        )
    spending = _mapping(usage.get("spend_control"))
    slugs = _slugs(extras)
    return Quota(
        plan=_text(usage.get("plan_type")),
        families=tuple(
            msgspec.structs.replace(each, stands_for=slugs.get(each.id, ""))
            for each in _families(families)
        ),
        credits=_credits(_mapping(usage.get("credits"))),
        spending=_window(_mapping(spending.get("individual_limit"))),
        reached=(
            _flag(general.get("limit_reached"))
            or general.get("allowed") is False
            or _flag(spending.get("reached"))
        ),
        reached_type=_text(usage.get("rate_limit_reached_type")),
    )


def _slugs(extras: object) -> Mapping[str, str]:
    """The models that limits name as the ones they serve, by the limit's id."""
    limits = [_mapping(each) for each in extras] if isinstance(extras, list) else []
    return {
        _text(limit.get("metered_feature")): _text(limit.get("normal_model_slug"))
        for limit in limits
    }


_Slots = Mapping[str, Any]


def _families(found: Iterable[tuple[str, str, _Slots]]) -> tuple[QuotaFamily, ...]:
    """Families that have a window, the general one first."""
    families = []
    for id_, name, slots in found:
        windows = [
            window
            for slot in ("primary", "secondary", "primary_window", "secondary_window")
            if (window := _window(_mapping(slots.get(slot)))) is not None
        ]
        if windows:
            windows.sort(key=lambda window: window.minutes)
            families.append(QuotaFamily(id=id_, name=name, windows=tuple(windows)))
    return _ordered(families)


def _ordered(families: Iterable[QuotaFamily]) -> tuple[QuotaFamily, ...]:
    return tuple(sorted(families, key=lambda family: (family.id != DEFAULT_FAMILY, family.id)))


def _window(fields: Mapping[str, Any]) -> QuotaWindow | None:
    """A window; None for an empty slot: no use, or no length."""
    used = _number(fields.get("used_percent"))
    minutes = _number(fields.get("window_minutes"))
    seconds = _number(fields.get("limit_window_seconds"))
    if minutes is None and seconds is not None:
        minutes = seconds / 60
    if used is None or minutes == 0:
        return None
    after = _number(fields.get("reset_after_seconds"))
    return QuotaWindow(
        minutes=round(minutes or 0),
        used_percent=used,
        resets_at=round(_number(fields.get("reset_at")) or 0),
        resets_in=None if after is None else round(after),
    )


def _credits(fields: Mapping[str, Any]) -> Credits | None:
    if all(fields.get(name) is None for name in ("has_credits", "unlimited", "balance")):
        return None
    balance = fields.get("balance")
    return Credits(
        has_credits=_flag(fields.get("has_credits")),
        unlimited=_flag(fields.get("unlimited")),
        balance="" if balance is None else str(balance),
    )


def _object(payload: bytes | msgspec.Raw) -> Mapping[str, Any]:
    try:
        return _mapping(read_any(payload))
    except DECODE_ERRORS:
        return {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _flag(value: object) -> bool:
    """True of `true`, and of `True` in any case, as headers spell it."""
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def _number(value: object) -> float | None:
    """A sensible number not below zero, also one written as text; empty text is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number <= MOST else None


def _underscored(name: str) -> str:
    return name.replace("-", "_")
