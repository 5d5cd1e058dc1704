"""Words and rows of what-if answers, for the page and the command line."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from codex_proapi.console.texts.phrases import N_
from codex_proapi.console.what_if.replay.question import Answer, Direction, Span
from codex_proapi.console.what_if.replay.sureness import NoteCode, Sureness

LABELS: Final[Mapping[str, str]] = {
    "requests": N_("Requests a week"),
    "refused": N_("Refused"),
    "dry_hours": N_("All accounts dry, a week"),
    "wait_minutes": N_("Until one serves again"),
    "lost": N_("Quota lost at resets"),
    "cached": N_("Input from the cache"),
}
"""Figures in the order of the page."""
UNITS: Final[Mapping[str, str]] = {
    "requests": "number",
    "dry_hours": "hours",
    "wait_minutes": "minutes",
}
"""How a figure is written, if not in percent."""
BETTER: Final[Mapping[str, Direction]] = {
    "refused": Direction.LESS,
    "dry_hours": Direction.LESS,
    "wait_minutes": Direction.LESS,
    "lost": Direction.LESS,
    "cached": Direction.MORE,
}
DIRECTIONS: Final[Mapping[Direction, str]] = {
    Direction.LESS: N_("less"),
    Direction.MORE: N_("more"),
    Direction.SAME: N_("as today"),
    Direction.UNCLEAR: N_("not clear"),
}
SURENESS: Final[Mapping[Sureness, tuple[str, str, str]]] = {
    Sureness.TOO_LITTLE: ("unknown", N_("Unknown"), N_("Too little is known.")),
    Sureness.LOW: ("warn", N_("Unsure"), N_("Unsure: take it as a direction at best.")),
    Sureness.MEDIUM: ("good", N_("Fairly sure"), N_("Fairly sure: known weeks came out within the ranges, or up to 5 points beside them.")),
}  # fmt: skip
"""Tone, word and sentence."""
NOTES: Final[Mapping[NoteCode, str]] = {
    NoteCode.FEW_DAYS: N_("Figures by the hour reach back %(days)s days; a week is needed."),
    NoteCode.FEW_REQUESTS: N_("There were %(requests)s requests in these weeks; 200 are needed."),
    NoteCode.NO_ACCOUNTS: N_("No account serves."),
    NoteCode.NO_ESTIMATE: N_("No account has used 5 percent of its weekly window since it began, so nobody can tell what one holds. Look again later in the week."),
    NoteCode.ONE_WEEK: N_("Only one week is known; it is replayed twice, once to warm up."),
    NoteCode.ESTIMATES: N_("What a weekly window holds was worked out from %(accounts)s of %(of)s accounts; it may be wrong by %(percent)s percent, which the ranges allow for."),
    NoteCode.SAMPLED: N_("%(accounts)s of %(of)s accounts are replayed, with their part of the requests."),
    NoteCode.LEFT_OUT: N_("%(percent)s percent of the requests count in limits of their own models and are left out."),
    NoteCode.IN_TURN: N_("Requests went strictly in turn, so nobody saw how much of the cache conversations would find; 85 percent is assumed."),
    NoteCode.CACHE_DIFFERS: N_("%(recorded)s percent of the input came from the cache; the replay of today gives %(replayed)s."),
    NoteCode.REFUSALS_DIFFER: N_("%(recorded)s percent of the requests failed, for whatever reason; the replay of today gives %(replayed)s."),
    NoteCode.HOURS: N_("Hours that owners set are not replayed: their accounts count as always there."),
    NoteCode.STREAMS: N_("The limit of concurrent requests per account is not replayed."),
}  # fmt: skip


class FigureRow(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of both sides."""

    label: str
    unit: str
    today: Span
    then: Span
    direction: str
    tone: str
    """`good`, `bad` or `unknown`."""


def rows_of(found: Answer) -> Sequence[FigureRow]:
    """The figures of an answer, with which way each goes."""
    if found.today is None or found.then is None:
        return ()
    return [
        FigureRow(
            label=label,
            unit=UNITS.get(name, "percent"),
            today=getattr(found.today, name),
            then=getattr(found.then, name),
            direction=DIRECTIONS[found.directions[name]],
            tone=_tone(name, found.directions[name]),
        )
        for name, label in LABELS.items()
    ]


def _tone(name: str, direction: Direction) -> str:
    if name not in BETTER or direction in (Direction.SAME, Direction.UNCLEAR):
        return "unknown"
    return "good" if direction is BETTER[name] else "bad"
