"""What an owner's terms forbid at a moment, and until when."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_proapi.commons.owner_terms.closing import (
    WORDS,
    Closed,
    Term,
    UsedWindow,
    admits,
    opening,
    share_reached,
)
from codex_proapi.commons.owner_terms.terms import HoursSpan, OwnerTerms, ReservedPercent

NOW = 1_795_000_000.0
WEEK, FIVE_HOURS = 10_080, 300


def at(moment: str) -> float:
    return dt.datetime.fromisoformat(moment).timestamp()


def test_every_term_has_words() -> None:
    assert set(WORDS) == set(Term)
    assert Term("brought by a later version") is Term.UNKNOWN


OFFICE = OwnerTerms(
    time_zone="Europe/Berlin",
    hours=(HoursSpan(days=("mon", "tue", "wed", "thu", "fri"), begin="09:00", end="18:00"),),
)


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        ("2026-10-23T09:00+02:00", None),
        ("2026-10-23T17:59:58.9+02:00", None),
        # In the last second nothing is begun: it would arrive outside the hours.
        ("2026-10-23T17:59:59.1+02:00", "2026-10-26T09:00+01:00"),
        ("2026-10-23T18:00+02:00", "2026-10-26T09:00+01:00"),
        ("2026-10-24T12:00+02:00", "2026-10-26T09:00+01:00"),
        ("2026-10-26T08:59:59.9+01:00", "2026-10-26T09:00+01:00"),
    ],
)
def test_outside_the_hours_an_account_is_closed_until_they_begin(
    moment: str, opens: str | None
) -> None:
    now = at(moment)

    closed = opening(OFFICE, now).closed(now)

    assert closed == (Closed(term=Term.HOURS, until=at(opens)) if opens else None)


def test_an_opening_holds_for_all_moments_until_it_changes() -> None:
    found = opening(OFFICE, at("2026-10-23T09:00+02:00"))

    assert found.until == at("2026-10-23T18:00+02:00")
    assert found.closed(at("2026-10-23T13:00+02:00")) is None
    assert found.closed(at("2026-10-23T17:59:59.5+02:00")) is not None


def test_without_hours_an_account_is_always_open() -> None:
    assert opening(OwnerTerms(), NOW).closed(NOW + 1e9) is None


def test_a_zone_this_machine_does_not_know_is_an_error() -> None:
    with pytest.raises(ValueError):
        opening(OwnerTerms(time_zone="Mars/Olympus", hours=(HoursSpan(),)), NOW)


@pytest.mark.parametrize(
    ("terms", "key_id", "group", "admitted"),
    [
        (OwnerTerms(), "key_1", "", True),
        (OwnerTerms(), "open", "", True),
        (OwnerTerms(keys=("key_1",)), "key_1", "", True),
        (OwnerTerms(keys=("key_1",)), "key_2", "team", False),
        (OwnerTerms(keys=("key_1",)), "open", "", False),
        (OwnerTerms(key_groups=("team",)), "key_2", "team", True),
        (OwnerTerms(key_groups=("team",)), "key_2", "Team", False),
        (OwnerTerms(key_groups=("team",)), "key_2", "", False),
        (OwnerTerms(key_groups=("team", "night")), "key_2", "night", True),
        (OwnerTerms(key_groups=("team",), keys=("key_1",)), "key_1", "other", True),
    ],
)
def test_only_the_keys_that_are_named_may_use_an_account(
    terms: OwnerTerms, key_id: str, group: str, admitted: bool
) -> None:
    assert admits(terms, key_id=key_id, group=group) is admitted


@pytest.mark.parametrize(
    ("reserved", "windows", "closed"),
    [
        (ReservedPercent(weekly=40), [(WEEK, 59.9, 0)], None),
        (ReservedPercent(weekly=40), [(WEEK, 60, NOW + 9)], NOW + 9),
        (ReservedPercent(weekly=40), [(WEEK, 100, 0)], 0.0),
        (ReservedPercent(weekly=40), [(FIVE_HOURS, 99, NOW + 9), (WEEK, 10, NOW + 99)], None),
        (ReservedPercent(five_hour=40), [(FIVE_HOURS, 99, NOW + 9), (WEEK, 99, 0)], NOW + 9),
        (
            ReservedPercent(five_hour=5, weekly=5),
            [(FIVE_HOURS, 99, NOW + 9), (WEEK, 99, NOW + 99)],
            NOW + 99,
        ),
        (ReservedPercent(five_hour=5, weekly=5), [(FIVE_HOURS, 99, NOW + 9), (WEEK, 99, 0)], 0.0),
        # A reset that has passed: the window is new, whatever was read of the one before.
        (ReservedPercent(weekly=40), [(WEEK, 100, NOW)], None),
        (ReservedPercent(weekly=100), [(WEEK, 100, NOW)], 0.0),
        (ReservedPercent(weekly=100), [(WEEK, 0, NOW + 9)], NOW + 9),
        (ReservedPercent(weekly=40), [(0, 60, 0)], 0.0),
        (ReservedPercent(weekly=40), [], None),
        (ReservedPercent(), [(WEEK, 100, 0)], None),
    ],
)
def test_an_account_is_closed_while_no_more_is_left_than_its_owners_share(
    reserved: ReservedPercent, windows: list[tuple[int, float, float]], closed: float | None
) -> None:
    found = share_reached(reserved, [UsedWindow(*window) for window in windows], NOW)

    assert found == (None if closed is None else Closed(term=Term.SHARE, until=closed))


@settings(max_examples=200, deadline=None)
@given(
    shares=st.tuples(*(st.floats(0, 100) for _ in range(3))),
    windows=st.lists(
        st.tuples(
            st.sampled_from([FIVE_HOURS, WEEK, 43_200, 0, 1440]),
            st.floats(0, 120),
            st.sampled_from([0.0, NOW - 60, NOW, NOW + 60, NOW + 6000]),
        ),
        max_size=4,
    ),
)
def test_what_may_be_begun_leaves_more_than_the_share_of_every_window(
    shares: tuple[float, float, float], windows: list[tuple[int, float, float]]
) -> None:
    reserved = ReservedPercent(five_hour=shares[0], weekly=shares[1], monthly=shares[2])

    found = share_reached(reserved, [UsedWindow(*window) for window in windows], NOW)

    below = [
        window
        for window in windows
        if (kept := reserved.of(window[0]))
        and 100 - (0 if 0 < window[2] <= NOW else window[1]) < kept
    ]
    if below:
        assert found is not None
    if found is not None:
        assert any(shares)
        assert found.until == 0 or found.until > NOW
