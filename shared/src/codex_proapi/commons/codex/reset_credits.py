"""Parses saved resets of usage windows, and what came of redeeming one. Pure.

The backend gives plans now and then a reset that is kept and redeemed on demand: it empties the
account's windows at once. Shapes as third parties have seen them live (CodexBar#1502, codex-lb; the
list also bare or null, names also in camel case); anything else is counted and left out.
"""

import datetime as dt
import enum
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, read_any

AVAILABLE: Final = "available"
"""Status of a reset that may be redeemed."""
LONGEST: Final = 200
"""Most characters of an id or a word of the backend's."""
MOST: Final = 200
"""Most resets read of one answer."""
LATEST: Final = 1e11
"""Beyond it nothing is a time in seconds."""


class SavedReset(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reset of an account."""

    id: str
    """The backend's id (`credit_id`)."""
    status: str = ""
    """`available`, `redeemed`, or another word of the backend's."""
    kind: str = ""
    """What it resets, in the backend's words (`reset_type`)."""
    granted_at: int = 0
    """Seconds since the epoch; 0 is unknown."""
    expires_at: int = 0
    """When it is lost, seconds since the epoch; 0 is unknown."""

    def usable(self, now: float) -> bool:
        """Whether it may be redeemed."""
        return self.status == AVAILABLE and not 0 < self.expires_at <= now


class SavedResets(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The resets of an account, the soonest to expire first."""

    resets: tuple[SavedReset, ...] = ()
    unreadable: int = 0
    """How many entries had another shape."""
    seen_at: int = 0
    """When they were read, seconds since the epoch."""

    def usable(self, now: float) -> tuple[SavedReset, ...]:
        """Those that may be redeemed, the soonest to expire first."""
        return tuple(each for each in self.resets if each.usable(now))


class RedeemOutcome(enum.StrEnum):
    """What came of a request to redeem a reset."""

    RESET = "reset"
    """The windows are reset."""
    NOTHING = "nothing_to_reset"
    """Nothing was used yet; the reset is still there."""
    NO_CREDIT = "no_credit"
    """The backend knows no such reset, or it has expired."""
    ALREADY = "already_redeemed"
    """It has been redeemed: by this request, sent before, or by another one."""
    REFUSED = "refused"
    """Refused for another reason; nothing was redeemed."""
    UNSURE = "unsure"
    """No usable answer: it may have been redeemed. To be asked again with the same request id."""


OUTCOMES: Final[Mapping[str, RedeemOutcome]] = {
    "reset": RedeemOutcome.RESET,
    "nothing_to_reset": RedeemOutcome.NOTHING,
    "no_credit": RedeemOutcome.NO_CREDIT,
    "credit_not_found": RedeemOutcome.NO_CREDIT,
    "credit_expired": RedeemOutcome.NO_CREDIT,
    "already_redeemed": RedeemOutcome.ALREADY,
}
"""Outcomes by the `code` of an answer, of any status."""
NO_EFFECT: Final = frozenset({400, 402, 403, 404, 405, 409, 410, 413, 415, 422})
"""Statuses of a request that was refused before anything was done."""


class Redeemed(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a request to redeem a reset."""

    outcome: RedeemOutcome
    code: str = ""
    """The backend's code, or `http_<status>`."""
    windows: int = 0
    """How many windows were reset, as far as the answer says."""


def read_saved_resets(body: bytes, *, now: float) -> SavedResets | None:
    """The resets in an answer of the backend; None if it cannot be read at all."""
    try:
        fields = read_any(body)
    except DECODE_ERRORS:
        return None
    listed = fields.get("credits") if isinstance(fields, dict) else fields
    if listed is None and isinstance(fields, dict):
        listed = []
    if not isinstance(listed, list):
        return None
    read = [_reset(each) for each in listed[:MOST]]
    found = {each.id: each for each in read if each is not None}
    ordered = sorted(found.values(), key=lambda r: (r.expires_at or LATEST, r.granted_at, r.id))
    return SavedResets(
        resets=tuple(ordered),
        unreadable=sum(each is None for each in read) + max(len(listed) - MOST, 0),
        seen_at=int(now),
    )


def read_redeemed(status: int, body: bytes) -> Redeemed:
    """What came of a request, by status and body of its answer."""
    fields = _fields(body)
    code = _code(fields)
    windows = fields.get("windows_reset")
    plain = windows if isinstance(windows, int) and not isinstance(windows, bool) else 0
    count = plain if 0 < plain <= MOST else 0
    if code in OUTCOMES:
        return Redeemed(outcome=OUTCOMES[code], code=code, windows=count)
    if 200 <= status < 300 and count:  # noqa: PLR2004 - HTTP's successes
        return Redeemed(outcome=RedeemOutcome.RESET, code=code, windows=count)
    outcome = RedeemOutcome.REFUSED if status in NO_EFFECT else RedeemOutcome.UNSURE
    return Redeemed(outcome=outcome, code=code or f"http_{status}")


def _reset(entry: object) -> SavedReset | None:
    if not isinstance(entry, dict):
        return None
    id_ = entry.get("id")
    if not isinstance(id_, str) or not 0 < len(id_) <= LONGEST or not id_.isprintable():
        return None
    return SavedReset(
        id=id_,
        status=_word(entry, "status").lower(),
        kind=_word(entry, "reset_type") or _word(entry, "resetType"),
        granted_at=_seconds(entry, "granted_at") or _seconds(entry, "grantedAt"),
        expires_at=_seconds(entry, "expires_at") or _seconds(entry, "expiresAt"),
    )


def _fields(body: bytes) -> Mapping[str, Any]:
    try:
        fields = read_any(body)
    except DECODE_ERRORS:
        return {}
    return fields if isinstance(fields, dict) else {}


def _code(fields: Mapping[str, Any]) -> str:
    """The code of an answer, wherever the backend put it."""
    for position in (fields, fields.get("detail"), fields.get("error")):
        if isinstance(position, dict) and (code := _word(position, "code")):
            return code
    return ""


def _word(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or len(value) > LONGEST or not value.isprintable():
        return ""
    return value


def _seconds(fields: Mapping[str, Any], name: str) -> int:
    """A time in seconds since the epoch, from a number or from ISO 8601; 0 if it is none."""
    value = fields.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < LATEST:
        return int(value)
    if not isinstance(value, str) or len(value) > LONGEST:
        return 0
    try:
        moment = dt.datetime.fromisoformat(value)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0
    return int(seconds) if 0 < seconds < LATEST else 0
