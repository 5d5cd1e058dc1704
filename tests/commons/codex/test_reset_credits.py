"""Saved resets as the backend lists them, and what came of redeeming one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_proapi.commons.codex.reset_credits import (
    RedeemOutcome,
    SavedReset,
    read_redeemed,
    read_saved_resets,
)

NOW = 1_795_000_000.0
DAY = 86_400


def credit(id_: Any = "c1", **changes: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "reset_type": "codex_rate_limits",
        "status": "available",
        "granted_at": "2026-11-01T00:00:00Z",
        "expires_at": "2026-12-01T00:00:00Z",
        **changes,
    }


def read(body: Any) -> Any:
    return read_saved_resets(json.dumps(body).encode(), now=NOW)


def test_a_list_is_ordered_by_what_is_lost_first() -> None:
    found = read(
        {
            "credits": [
                credit("late", expires_at="2026-12-20T00:00:00+00:00"),
                credit("never", expires_at=None),
                credit("soon", expires_at=NOW + DAY),
            ],
            "available_count": 3,
        }
    )

    assert [each.id for each in found.resets] == ["soon", "late", "never"]
    assert (found.unreadable, found.seen_at) == (0, int(NOW))
    assert found.resets[1].expires_at == 1_797_724_800


def test_what_is_redeemed_or_lost_cannot_be_redeemed() -> None:
    found = read(
        [
            credit("gone", expires_at=NOW),
            credit("used", status="REDEEMED"),
            credit("odd", status="frozen"),
            credit("good", expiresAt=NOW + 1, expires_at=None),
        ]
    )

    assert [each.id for each in found.usable(NOW)] == ["good"]


@pytest.mark.parametrize(
    "entry",
    [None, 7, "c1", [], {}, credit(""), credit(None), credit(7), credit("x" * 201), credit("a\nb")],
)
def test_entries_of_another_shape_are_counted_and_left_out(entry: Any) -> None:
    found = read({"credits": [entry, credit("good")]})

    assert [each.id for each in found.resets] == ["good"]
    assert found.unreadable == 1


@pytest.mark.parametrize(
    "value", [True, -1, 1e300, "soon", "2026-99-99", "", [], {"at": 1}, "9" * 300]
)
def test_a_time_that_is_none_is_unknown(value: Any) -> None:
    [found] = read([credit(granted_at=value, expires_at=value, status=7)]).resets

    assert found == SavedReset(id="c1", kind="codex_rate_limits")


def test_no_list_is_empty_and_what_is_none_unreadable() -> None:
    assert read({"credits": None}).resets == read({}).resets == read([]).resets == ()
    unreadable: list[Any] = ["x", 7, None, {"credits": "many"}, {"credits": {}}]
    assert [read(body) for body in unreadable] == [None] * 5
    assert read_saved_resets(b"<html>", now=NOW) is None


def test_only_so_many_are_read() -> None:
    found = read([credit(f"c{n}") for n in range(300)])

    assert (len(found.resets), found.unreadable) == (200, 100)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, {"code": "reset", "windows_reset": 1}, RedeemOutcome.RESET),
        (200, {"code": "something_new", "windows_reset": 2}, RedeemOutcome.RESET),
        (200, {"code": "nothing_to_reset", "windows_reset": 0}, RedeemOutcome.NOTHING),
        (409, {"code": "already_redeemed"}, RedeemOutcome.ALREADY),
        (404, {"detail": {"code": "no_credit"}}, RedeemOutcome.NO_CREDIT),
        (404, {"error": {"code": "credit_expired"}}, RedeemOutcome.NO_CREDIT),
        (422, {"detail": "no"}, RedeemOutcome.REFUSED),
        (403, {}, RedeemOutcome.REFUSED),
        (200, {}, RedeemOutcome.UNSURE),
        (200, {"code": "something_new"}, RedeemOutcome.UNSURE),
        (200, {"windows_reset": True, "code": 7}, RedeemOutcome.UNSURE),
        (429, {}, RedeemOutcome.UNSURE),
        (500, {}, RedeemOutcome.UNSURE),
        (504, [], RedeemOutcome.UNSURE),
    ],
)
def test_each_answer_has_its_meaning(status: int, body: Any, outcome: RedeemOutcome) -> None:
    assert read_redeemed(status, json.dumps(body).encode()).outcome is outcome


@given(st.integers(100, 599), st.binary())
def test_any_answer_is_read(status: int, body: bytes) -> None:
    assert read_redeemed(status, body).code
    read_saved_resets(body, now=NOW)
