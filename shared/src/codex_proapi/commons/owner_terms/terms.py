"""The terms of an account's owner: their form in the API and in Redis, and their check."""

import functools
import re
import zoneinfo
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from codex_proapi.commons.codex.quota_parser import window_name

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days of the week, as spans name them."""
MOST_SPANS: Final = 50
MOST_KEYS: Final = 500
"""Most keys, and most key groups, in one account's terms."""
MOST_NAME: Final = 100
"""Most characters of a key group's name: as many as any name has (`accounts.one_line`, which imports this room)."""
FULL: Final = 100.0
_NO_ZONES: Final = frozenset({"localtime", "Factory", "posixrules"})
"""Files of a time zone database that name no zone."""
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00")


class InvalidTerms(ValueError):
    """Terms that nobody can mean. `parameter` says where, in the form of the API."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter
        """`hours[0].from`, `reserved_percent.weekly`, …"""


class HoursSpan(
    msgspec.Struct, frozen=True, kw_only=True, rename={"begin": "from", "end": "until"}
):
    """A span of each of some days, by the clock of the terms' time zone."""

    days: tuple[str, ...] = DAYS
    """The days on which it begins: `mon` to `sun`."""
    begin: str = "00:00"
    """When it begins, `HH:MM`; included."""
    end: str = "24:00"
    """When it ends, `HH:MM` or `24:00`; not included. Before `from` it is that of the next day."""


class ReservedPercent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The share of each kind of quota window that stays the owner's, 0 to 100."""

    five_hour: float = 0.0
    weekly: float = 0.0
    monthly: float = 0.0

    def of(self, minutes: int) -> float:
        """The share of a window of this length; of one of another or unknown length the greatest."""
        match window_name(minutes):
            case "five_hour":
                return self.five_hour
            case "weekly":
                return self.weekly
            case "monthly":
                return self.monthly
            case _:
                return max(self.five_hour, self.weekly, self.monthly)


class Consent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The owner's consent to the account's use by the pool."""

    at: int = 0
    """When it was given, seconds since the epoch; 0 is never."""
    wording: str = ""
    """Version of the wording that was agreed to."""


class OwnerTerms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """On which terms an account may be used. The default has none."""

    time_zone: str = "UTC"
    """IANA name of the zone by whose clock the hours are."""
    hours: tuple[HoursSpan, ...] = ()
    """When requests may be begun; empty is always."""
    reserved_percent: ReservedPercent = ReservedPercent()
    """No request is begun while one of its windows has no more than this left."""
    key_groups: tuple[str, ...] = ()
    """Groups of API keys that may use it."""
    keys: tuple[str, ...] = ()
    """Ids of API keys that may use it. With neither groups nor keys, every key may."""
    paused: bool = False
    """Whether the owner has paused it."""
    consent: Consent = Consent()
    """Given by the owner."""
    unreadable: bool = False
    """Whether what is stored cannot be read by this version. Never stored; nothing may be begun."""

    @property
    def reserves(self) -> bool:
        """Whether a share of some window stays the owner's."""
        return self.reserved_percent != _NOTHING_RESERVED

    @property
    def limits_keys(self) -> bool:
        """Whether only some keys may use the account."""
        return bool(self.key_groups or self.keys)


_NOTHING_RESERVED: Final = ReservedPercent()
NO_TERMS: Final = OwnerTerms()
"""Those of an account without any."""
UNREADABLE_TERMS: Final = OwnerTerms(unreadable=True)


def check(terms: OwnerTerms) -> None:
    """Raise InvalidTerms for the first of the terms that is wrong."""
    if terms.unreadable:
        raise InvalidTerms("unreadable", "is not for anybody to set")
    if terms.time_zone not in zone_names():
        raise InvalidTerms(
            "time_zone", "is no name of a time zone: one is named like Europe/Berlin, or UTC"
        )
    if len(terms.hours) > MOST_SPANS:
        raise InvalidTerms("hours", f"has more than {MOST_SPANS} spans")
    for number, span in enumerate(terms.hours):
        _check_span(span, f"hours[{number}]")
    for name in ReservedPercent.__struct_fields__:
        if not 0 <= getattr(terms.reserved_percent, name) <= FULL:
            raise InvalidTerms(f"reserved_percent.{name}", "is not from 0 to 100")
    _check_names(terms.key_groups, "key_groups")
    _check_names(terms.keys, "keys")


def _check_span(span: HoursSpan, where: str) -> None:
    if not span.days:
        raise InvalidTerms(f"{where}.days", "names no day: it takes mon, tue, … sun")
    for number, day in enumerate(span.days):
        if day not in DAYS:
            raise InvalidTerms(f"{where}.days[{number}]", f"is not one of {', '.join(DAYS)}")
    for name, clock in (("from", span.begin), ("until", span.end)):
        if not _CLOCK.fullmatch(clock):
            raise InvalidTerms(f"{where}.{name}", "is no time of day like 09:00 or 24:00")
    if span.begin == "24:00":
        raise InvalidTerms(f"{where}.from", "cannot be 24:00: that is 00:00 of the next day")
    if span.begin == span.end:
        raise InvalidTerms(
            f"{where}.until", "is the same as from: a whole day is from 00:00 until 24:00"
        )


def _check_names(names: Sequence[str], where: str) -> None:
    if len(names) > MOST_KEYS:
        raise InvalidTerms(where, f"has more than {MOST_KEYS} entries")
    for number, name in enumerate(names):
        if not name.strip() or len(name) > MOST_NAME:
            raise InvalidTerms(f"{where}[{number}]", f"is empty or longer than {MOST_NAME}")


@functools.cache
def zone_names() -> frozenset[str]:
    """The names of the time zones that this machine knows."""
    return frozenset(zoneinfo.available_timezones() - _NO_ZONES)


def read_terms(stored: str | bytes | None) -> OwnerTerms:
    """Terms as they are stored; those of a form that is not known here allow nothing."""
    if not stored:
        return NO_TERMS
    try:
        found = msgspec.json.decode(stored, type=OwnerTerms)
    except (msgspec.DecodeError, UnicodeError):
        return UNREADABLE_TERMS
    # An unknown zone is checked where its clock is needed: another machine may know it.
    try:
        for number, span in enumerate(found.hours):
            _check_span(span, f"hours[{number}]")
    except InvalidTerms:
        return UNREADABLE_TERMS
    return found


def stored_terms(terms: OwnerTerms, before: str | bytes | None) -> str:
    """Terms to store; what only a newer version knows of those before stays as it is."""
    newer: Mapping[str, Any] = {}
    try:
        held = msgspec.json.decode(before or b"{}")
        newer = held if isinstance(held, dict) else {}
    except (msgspec.DecodeError, UnicodeError):
        pass
    known = OwnerTerms.__struct_fields__
    kept = {name: value for name, value in newer.items() if name not in known}
    return msgspec.json.encode(kept | msgspec.to_builtins(terms)).decode()
