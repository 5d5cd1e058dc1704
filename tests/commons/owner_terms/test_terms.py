"""The terms of an account's owner: which are refused, and how they are stored."""

import msgspec
import pytest

from codex_proapi.commons.owner_terms.terms import (
    NO_TERMS,
    UNREADABLE_TERMS,
    Consent,
    HoursSpan,
    InvalidTerms,
    OwnerTerms,
    ReservedPercent,
    check,
    read_terms,
    stored_terms,
)

ALL = OwnerTerms(
    time_zone="America/New_York",
    hours=(HoursSpan(days=("mon", "fri"), begin="22:00", end="06:30"), HoursSpan(days=("sun",))),
    reserved_percent=ReservedPercent(five_hour=20, weekly=40.5, monthly=100),
    key_groups=("team a",),
    keys=("key_1",),
    paused=True,
    consent=Consent(at=1_795_000_000, wording="1"),
)


@pytest.mark.parametrize("terms", [NO_TERMS, ALL])
def test_terms_are_read_as_they_were_stored(terms: OwnerTerms) -> None:
    check(terms)
    assert read_terms(stored_terms(terms, None)) == terms


@pytest.mark.parametrize(
    ("json", "parameter"),
    [
        ('{"time_zone": "Mars/Olympus"}', "time_zone"),
        ('{"time_zone": ""}', "time_zone"),
        ('{"time_zone": "localtime"}', "time_zone"),
        ('{"time_zone": "../../etc/passwd"}', "time_zone"),
        ('{"time_zone": "right/UTC"}', "time_zone"),
        ('{"hours": [{}, {"days": []}]}', "hours[1].days"),
        ('{"hours": [{"days": ["mon", "Mon"]}]}', "hours[0].days[1]"),
        ('{"hours": [{"from": "9:00"}]}', "hours[0].from"),
        ('{"hours": [{"from": "24:00"}]}', "hours[0].from"),
        ('{"hours": [{"from": "٠٩:00"}]}', "hours[0].from"),
        ('{"hours": [{"until": "24:01"}]}', "hours[0].until"),
        ('{"hours": [{"until": "23:60"}]}', "hours[0].until"),
        ('{"hours": [{"from": "00:00", "until": "00:00"}]}', "hours[0].until"),
        ('{"hours": [{"from": "12:00", "until": "12:00"}]}', "hours[0].until"),
        ('{"hours": [' + ", ".join(["{}"] * 51) + "]}", "hours"),
        ('{"reserved_percent": {"weekly": 100.5}}', "reserved_percent.weekly"),
        ('{"reserved_percent": {"five_hour": -1}}', "reserved_percent.five_hour"),
        ('{"key_groups": [" "]}', "key_groups[0]"),
        ('{"keys": ["' + "k" * 101 + '"]}', "keys[0]"),
        ('{"unreadable": true}', "unreadable"),
    ],
)
def test_terms_that_nobody_can_mean_are_refused_by_their_parameter(
    json: str, parameter: str
) -> None:
    with pytest.raises(InvalidTerms) as refused:
        check(msgspec.json.decode(json, type=OwnerTerms))

    assert refused.value.parameter == parameter


@pytest.mark.parametrize(
    "stored",
    [
        '{"paused": "sometimes"}',
        '{"hours": "nine to five"}',
        '{"hours": [{"days": ["workdays"]}]}',
        '{"hours": [{"from": "soon"}]}',
        "no json",
        b"\xff",
        "[]",
    ],
)
def test_terms_of_an_unknown_form_allow_nothing(stored: str | bytes) -> None:
    assert read_terms(stored) == UNREADABLE_TERMS


def test_an_account_without_terms_has_none() -> None:
    assert read_terms(None) == read_terms("") == read_terms("{}") == NO_TERMS


def test_what_only_a_newer_version_knows_stays() -> None:
    before = '{"hours": [], "most_requests": 7}'

    assert read_terms(before) == NO_TERMS
    stored = stored_terms(OwnerTerms(paused=True), before)
    assert msgspec.json.decode(stored) == {"most_requests": 7, "paused": True}
    assert msgspec.json.decode(stored_terms(NO_TERMS, "no json")) == {}


@pytest.mark.parametrize(
    ("minutes", "percent"), [(300, 10), (10_080, 20), (43_200, 30), (1440, 30), (0, 30)]
)
def test_a_window_of_another_length_keeps_the_greatest_share(minutes: int, percent: float) -> None:
    assert ReservedPercent(five_hour=10, weekly=20, monthly=30).of(minutes) == percent
