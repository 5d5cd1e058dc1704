"""How alerts begin and end: a table of what was stored and what holds now. Pure.

A condition must hold for a while before it is told, and be gone for a while before that is told, so
that one that comes and goes is told once.
"""

import enum
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from codex_proapi.console.alerts.conditions import AlertKey, Findings
from codex_proapi.console.alerts.kinds import AlertKind, Phase, Subject

BEGIN_SECONDS: Final = {AlertKind.POOL_DRY: 60}
"""How long a condition must hold before it is told; at once for the others."""
END_SECONDS: Final = {
    AlertKind.ACCOUNT_SIGN_IN: 30,
    AlertKind.WINDOW_LOW: 300,
    AlertKind.POOL_DRY: 120,
    AlertKind.MODEL_SUBSTITUTED: 3600,
}
"""How long it must be gone before that is told; at once for the others."""


class AlertState(enum.StrEnum):
    """Where an alert stands; one that is not stored has ended."""

    PENDING = "pending"
    """The condition holds, not long enough yet."""
    FIRING = "firing"
    CLEARING = "clearing"
    """Told, and the condition is gone, not long enough yet."""


class Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An alert as it is stored."""

    kind: AlertKind
    subject: Subject
    state: AlertState
    since: int
    """When it was first seen, seconds since the epoch."""
    changed_at: int
    """When its state changed last."""

    @property
    def key(self) -> AlertKey:
        """What tells it from others."""
        return self.kind, self.subject.id


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an alert."""

    key: AlertKey
    before: Alert | None
    after: Alert | None
    """None: it has ended."""
    tells: Phase | None = None
    """What is told of it."""


def changes_of(stored: Mapping[AlertKey, Alert], found: Findings, *, now: int) -> Sequence[Change]:
    """Every step that the alerts take now."""
    return [*_begun(stored, found, now), *_ended(stored, found, now)]


def _begun(stored: Mapping[AlertKey, Alert], found: Findings, now: int) -> Iterator[Change]:
    for key, subject in found.holding.items():
        kind, before = key[0], stored.get(key)
        fresh = Alert(
            kind=kind, subject=subject, state=AlertState.FIRING, since=now, changed_at=now
        )
        wait = BEGIN_SECONDS.get(kind, 0)
        if before is None and wait:
            pending = msgspec.structs.replace(fresh, state=AlertState.PENDING)
            yield Change(key=key, before=None, after=pending)
        elif before is None:
            yield Change(key=key, before=None, after=fresh, tells=Phase.FIRING)
        elif before.state is AlertState.PENDING and now - before.since >= wait:
            begun = msgspec.structs.replace(fresh, since=before.since)
            yield Change(key=key, before=before, after=begun, tells=Phase.FIRING)
        elif before.state is AlertState.CLEARING:  # it had not been told that it was gone
            again = msgspec.structs.replace(before, state=AlertState.FIRING, changed_at=now)
            yield Change(key=key, before=before, after=again)


def _ended(stored: Mapping[AlertKey, Alert], found: Findings, now: int) -> Iterator[Change]:
    for key, before in stored.items():
        if key in found.holding or key in found.undecided:
            continue
        wait = END_SECONDS.get(before.kind, 0)
        if before.state is AlertState.PENDING:
            yield Change(key=key, before=before, after=None)
        elif before.state is AlertState.FIRING and wait:
            clearing = msgspec.structs.replace(before, state=AlertState.CLEARING, changed_at=now)
            yield Change(key=key, before=before, after=clearing)
        elif before.state is AlertState.FIRING or now - before.changed_at >= wait:
            yield Change(key=key, before=before, after=None, tells=Phase.RESOLVED)
