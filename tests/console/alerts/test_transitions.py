"""Alerts begin and end once, also where a condition comes and goes."""

from codex_proapi.console.alerts.conditions import AlertKey, Findings
from codex_proapi.console.alerts.kinds import AlertKind, Subject
from codex_proapi.console.alerts.transitions import Alert, changes_of

DRY: AlertKey = (AlertKind.POOL_DRY, "pool")
LOW: AlertKey = (AlertKind.WINDOW_LOW, "a/300")
NEW: AlertKey = (AlertKind.UPSTREAM_DRIFT, "event x")


def told(
    timeline: list[tuple[int, set[AlertKey]]], undecided: frozenset[AlertKey] = frozenset()
) -> list[str]:
    """What is told when these conditions hold at these moments."""
    stored: dict[AlertKey, Alert] = {}
    said = []
    for now, holding in timeline:
        found = Findings(
            holding={key: Subject(id=key[1]) for key in holding},
            undecided=undecided - holding,
        )
        for change in changes_of(stored, found, now=now):
            assert change.before == stored.get(change.key)
            stored.pop(change.key, None)
            if change.after is not None:
                stored[change.key] = change.after
            if change.tells is not None:
                said.append(f"{now} {change.key[0].value} {change.tells.value}")
    return said


def test_an_alert_is_told_once_and_its_end_once() -> None:
    timeline = [(0, {NEW}), (15, {NEW}), (30, {NEW}), (45, set()), (60, set())]

    assert told(timeline) == ["0 upstream_drift firing", "45 upstream_drift resolved"]


def test_a_dry_pool_is_told_after_a_minute_only() -> None:
    assert told([(0, {DRY}), (45, {DRY}), (50, set()), (60, {DRY}), (90, {DRY})]) == []
    assert told([(0, {DRY}), (45, {DRY}), (60, {DRY})]) == ["60 pool_dry firing"]


def test_what_comes_and_goes_is_told_once() -> None:
    flapping = [(now, {LOW} if now % 200 else set()) for now in range(10, 2000, 10)]

    assert told(flapping) == ["10 window_low firing"]


def test_an_end_is_told_when_the_condition_was_gone_long_enough() -> None:
    timeline: list[tuple[int, set[AlertKey]]] = [
        (0, {LOW}),
        (10, set()),
        (300, set()),
        (310, set()),
    ]

    assert told(timeline) == ["0 window_low firing", "310 window_low resolved"]


def test_what_cannot_be_decided_changes_nothing() -> None:
    timeline: list[tuple[int, set[AlertKey]]] = [(0, {LOW}), (10, set()), (9999, set())]

    assert told(timeline, undecided=frozenset({LOW})) == ["0 window_low firing"]
