from typing import Any

import pytest

from codex_proapi.commons.usage.counters import Counters
from codex_proapi.commons.usage.exchange_record import AttemptRecord, Ending, ExchangeRecord
from codex_proapi.commons.usage.log_stream import LogEntry, LogKind, entry_of
from codex_proapi.console.views.figures import (
    Failure,
    Figures,
    Share,
    failure_of,
    figures_of,
    quantile,
    shares_of,
)

NOW = 1_000_000.0


def _entry(*, at: float = NOW - 60, **facts: Any) -> LogEntry:
    record = {"request_id": "req_1", "at": at, "endpoint": "chat", "ending": Ending.WHOLE, **facts}
    return entry_of(ExchangeRecord(**record))


def test_nothing_has_happened() -> None:
    assert figures_of(series={}, today=[], entries=[], now=NOW) == Figures(
        requests=0,
        per_minute=0,
        error_share=0,
        top_error="",
        tokens=0,
        cached_share=0,
        first_byte_p50=None,
        first_byte_p95=None,
    )


def test_rates_are_of_the_last_hour_and_tokens_of_the_day() -> None:
    series = {
        int(NOW - 7200): Counters(requests=900, errors=900),
        int(NOW - 600): Counters(requests=50, errors=2),
        int(NOW - 300): Counters(requests=70, errors=4),
    }
    today = [Counters(input=900, cached=600, output=100), Counters(input=100, cached=100)]

    figures = figures_of(series=series, today=today, entries=[], now=NOW)

    assert (figures.requests, figures.per_minute, figures.error_share) == (120, 2.0, 5.0)
    assert (figures.tokens, figures.cached_share) == (1100, 70.0)


def test_waits_and_errors_come_from_the_log_of_the_last_hour() -> None:
    entries = [
        *(_entry(first_byte_ms=n * 100) for n in range(1, 21)),
        _entry(first_byte_ms=99_999, at=NOW - 4000),
        *(_entry(ending=Ending.REFUSED, code="usage_limit_reached", status=429) for _ in range(2)),
        _entry(ending=Ending.BROKEN, status=502),
        _entry(ending=Ending.ABANDONED, code="client_left", status=499),
        LogEntry(at=NOW, kind=LogKind.ADMIN, event="admin.signed_in"),
    ]

    figures = figures_of(series={}, today=[], entries=entries, now=NOW)

    assert (figures.first_byte_p50, figures.first_byte_p95) == (1000, 1900)
    assert figures.top_error == "usage_limit_reached"


def test_errors_that_are_equally_frequent_have_a_fixed_order() -> None:
    entries = [_entry(ending=Ending.REFUSED, code=code) for code in ("b", "a")]

    assert figures_of(series={}, today=[], entries=entries, now=NOW).top_error == "a"


@pytest.mark.parametrize(
    ("values", "percent", "value"),
    [([], 50, None), ([7], 50, 7), ([7], 95, 7), ([1, 2, 3, 4], 50, 2), ([1, 2, 3, 4], 95, 4)],
)
def test_a_quantile_is_one_of_the_values(values: Any, percent: Any, value: Any) -> None:
    assert quantile(values, percent) == value


def test_a_failure_is_one_line() -> None:
    attempts = (
        AttemptRecord(account="acc_1", verdict="next_account"),
        AttemptRecord(account="acc_2", verdict="give_up"),
    )
    entry = _entry(
        ending=Ending.REFUSED,
        status=503,
        code="x",
        account="acc_2",
        asked_model="gpt-5",
        attempts=attempts,
    )

    assert failure_of(entry, {"acc_2": "Ada"}) == Failure(
        request_id="req_1", at=NOW - 60, status=503, code="x", model="gpt-5", account="Ada", tries=2
    )


def test_an_entry_that_is_no_request_has_no_tries() -> None:
    entry = LogEntry(at=NOW, kind=LogKind.ACCOUNT, event="account.cooled", model="gpt-5")

    assert (failure_of(entry, {}).tries, failure_of(entry, {}).model) == (0, "gpt-5")


def test_who_used_most_comes_first_and_nobody_has_no_name() -> None:
    used = {
        "key_1": Counters(requests=2, input=10),
        "open": Counters(requests=9, input=90, output=9),
        "key_2": Counters(),
        "key_3": Counters(requests=1),
    }

    assert shares_of(used, {"key_1": "CI"}) == [
        Share(id="open", name="", requests=9, tokens=99),
        Share(id="key_1", name="CI", requests=2, tokens=10),
        Share(id="key_3", name="key_3", requests=1, tokens=0),
    ]


@pytest.mark.parametrize(
    ("attempts", "code", "phrase"),
    [
        ((), "rate_limit_exceeded", "pool_spent"),
        ((), "usage_limit_reached", "pool_spent"),
        ((), "model_not_found", "model_not_found"),
        (
            (AttemptRecord(account="acc_1", verdict="give_up"),),
            "rate_limit_exceeded",
            "rate_limit_exceeded",
        ),
        (
            (
                AttemptRecord(account="acc_1", verdict="next_account", status=429),
                AttemptRecord(account="acc_2", verdict="next_account", status=429),
            ),
            "rate_limit_exceeded",
            "pool_spent",
        ),
    ],
)
def test_a_limit_for_which_no_account_gave_up_is_that_of_the_pool(
    attempts: Any, code: str, phrase: str
) -> None:
    entry = _entry(ending=Ending.REFUSED, status=429, code=code, attempts=attempts)

    assert (failure_of(entry, {}).code, failure_of(entry, {}).tries) == (phrase, len(attempts))


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "insufficient_quota"])
def test_a_limit_of_the_key_is_not_that_of_the_accounts(code: str) -> None:
    entry = _entry(ending=Ending.REFUSED, status=429, code=code, limited=True)

    assert failure_of(entry, {}).code == "key_limited"
