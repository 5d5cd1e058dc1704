from typing import Any

import pytest
from support.leases import NOW

from codex_proapi.commons.balancing.candidates import NoCandidate, NoCandidateCause
from codex_proapi.commons.owner_terms.closing import Term
from codex_proapi.gateway.errors import (
    AccountsClosed,
    AllCooling,
    AllSpent,
    LoginRenewing,
    NoAccounts,
    Truncated,
    UnknownModel,
    UpstreamRefused,
    UpstreamSlow,
    UpstreamUnreachable,
)
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.policy.final_error import final_error
from codex_proapi.gateway.policy.retry import Change, decide

SPENT = Refusal(status=429, type="usage_limit_reached", plan="pro")
BUSY = Refusal(status=429, code="rate_limit_exceeded", retry_after=7.0)
BAD = Refusal(status=400, code="invalid_value", message="bad value", param="input")
BROKEN = Refusal(status=502, message="bad gateway")
DEAD = Refusal(status=401, code="token_revoked")
NONE = "Every account that could serve this request is"
MODEL = Refusal(
    status=400,
    message="The 'x' model is not supported when using Codex with a ChatGPT account.",
)


def final(*refusals: Any) -> Any:
    """Refusals after everything was tried with their accounts."""
    return [(r, decide(r, now=NOW, tried=tuple(Change))) for r in refusals]


def concluded(*refusals: Any, nobody: Any = None, plan: Any = "") -> Any:
    return final_error(final(*refusals), nobody, now=NOW, plan=plan)


def nobody(cause: Any, seconds: Any = 0.0) -> Any:
    return NoCandidate(cause=cause, until=NOW + seconds if seconds else 0.0)


@pytest.mark.parametrize(
    ("refusals", "why", "kind", "status"),
    [
        ([BAD], None, UpstreamRefused, 400),
        ([SPENT, BAD], None, UpstreamRefused, 400),
        ([SPENT, BROKEN], nobody(NoCandidateCause.SPENT, 9000), UpstreamRefused, 502),
        ([SPENT, DEAD], nobody(NoCandidateCause.SPENT, 9000), AllSpent, 429),
        ([SPENT], nobody(NoCandidateCause.SPENT, 9000), AllSpent, 429),
        ([SPENT], nobody(NoCandidateCause.COOLING, 20), AllCooling, 429),
        ([SPENT], None, AllCooling, 429),
        ([DEAD], nobody(NoCandidateCause.REFUSED, 600), UpstreamRefused, 503),
        ([MODEL, MODEL], nobody(NoCandidateCause.UNENTITLED), UnknownModel, 404),
        ([MODEL, SPENT], nobody(NoCandidateCause.SPENT, 9000), AllSpent, 429),
        ([], nobody(NoCandidateCause.EMPTY), NoAccounts, 503),
        ([], nobody(NoCandidateCause.CLOSED, 9000), AccountsClosed, 503),
        ([SPENT, BUSY], nobody(NoCandidateCause.CLOSED, 9000), AccountsClosed, 503),
        ([SPENT, BROKEN], nobody(NoCandidateCause.CLOSED, 9000), UpstreamRefused, 502),
        ([BAD], nobody(NoCandidateCause.CLOSED, 9000), UpstreamRefused, 400),
        ([DEAD], nobody(NoCandidateCause.CLOSED, 9000), UpstreamRefused, 503),
        ([], nobody(NoCandidateCause.UNENTITLED), UnknownModel, 404),
        ([], nobody(NoCandidateCause.REFUSED, 600), NoAccounts, 503),
        ([], nobody(NoCandidateCause.FORBIDDEN, 600), UpstreamRefused, 503),
        ([], nobody(NoCandidateCause.RENEWING, 3), LoginRenewing, 503),
        ([DEAD], nobody(NoCandidateCause.RENEWING, 3), LoginRenewing, 503),
        ([], nobody(NoCandidateCause.COOLING, 20), AllCooling, 429),
        ([], nobody(NoCandidateCause.SPENT, 9000), AllSpent, 429),
    ],
)
def test_the_most_telling_refusal_becomes_the_error(
    refusals: Any, why: Any, kind: Any, status: int
) -> None:
    error = concluded(*refusals, nobody=why)

    assert (type(error), error.status) == (kind, status)


def test_a_refusal_that_a_change_has_answered_is_not_told() -> None:
    encrypted = Refusal(status=400, code="invalid_encrypted_content")
    refusals = [(encrypted, decide(encrypted, now=NOW)), *final(SPENT)]

    error = final_error(refusals, nobody(NoCandidateCause.SPENT, 9000), now=NOW)

    assert isinstance(error, AllSpent)


def test_a_refusal_that_could_not_be_answered_is_told_although_more_was_allowed() -> None:
    error = final_error([(BROKEN, decide(BROKEN, now=NOW))], None, now=NOW)

    assert error.status == 502


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("upstream_timeout", UpstreamSlow),
        ("upstream_stream_truncated", Truncated),
        ("upstream_unreachable", UpstreamUnreachable),
        ("upstream_connection_lost", UpstreamUnreachable),
    ],
)
def test_a_fault_of_the_transport_is_told_as_what_it_was(code: str, kind: Any) -> None:
    error = concluded(Refusal(status=0, code=code, message="so it was"))

    assert type(error) is kind
    assert (error.code, error.message) == (code, "so it was")


@pytest.mark.parametrize(
    ("refusals", "why", "wait"),
    [
        ([], nobody(NoCandidateCause.COOLING, 12.3), 13),
        ([], nobody(NoCandidateCause.COOLING, 0.1), 1),
        ([], nobody(NoCandidateCause.COOLING, 900), 60),
        ([BUSY], None, 7),
        ([SPENT], None, 1),
    ],
)
def test_a_short_wait_is_named_and_never_longer_than_a_minute(
    refusals: Any, why: Any, wait: Any
) -> None:
    error = concluded(*refusals, nobody=why)

    assert error.retry_after == wait
    assert f"try again in {wait}s" in error.message


def test_a_spent_quota_names_its_end_and_its_plan() -> None:
    error = concluded(nobody=nobody(NoCandidateCause.SPENT, 3600), plan="team")

    assert isinstance(error, AllSpent)
    assert (error.resets_at, error.resets_in, error.plan) == (int(NOW) + 3600, 3600, "team")
    assert error.message == "All accounts are out of quota until 2026-11-18 12:06 UTC."
    assert error.retry_after is None
    assert error.should_retry is False


def test_the_plan_upstream_named_comes_first_and_a_far_end_has_its_date() -> None:
    error = concluded(SPENT, nobody=nobody(NoCandidateCause.SPENT, 86_400 * 3), plan="team")

    assert isinstance(error, AllSpent)
    assert error.plan == "pro"
    assert "2026-11-21 " in error.message
    unknown = concluded(nobody=nobody(NoCandidateCause.SPENT, 60 * 60))
    assert isinstance(unknown, AllSpent)
    assert unknown.plan == "unknown"


def test_plans_without_codex_are_not_told_as_a_short_wait() -> None:
    refusal = Refusal(status=429, type="usage_not_included")

    error = concluded(refusal, refusal, nobody=nobody(NoCandidateCause.UNENTITLED))

    assert isinstance(error, UnknownModel)
    assert error.retry_after is None


@pytest.mark.parametrize(
    ("cause", "seconds", "told"),
    [
        (NoCandidateCause.RENEWING, 3, 3),
        (NoCandidateCause.RENEWING, 600, 15),
        (NoCandidateCause.FORBIDDEN, 1200, 60),
    ],
)
def test_what_ends_by_itself_tells_a_true_wait(cause: Any, seconds: Any, told: Any) -> None:
    assert concluded(nobody=nobody(cause, seconds)).retry_after == told


@pytest.mark.parametrize(
    ("terms", "seconds", "message", "retry_after", "again"),
    [
        (
            (Term.HOURS, Term.SHARE),
            30.2,
            f"{NONE} outside its owner's hours, on its owner's share. The first one opens at 2026-11-18 11:07 UTC.",
            *(31, True),
        ),
        (
            (Term.HOURS,),
            3 * 86_400.0,
            f"{NONE} outside its owner's hours. The first one opens at 2026-11-21 11:06 UTC.",
            *(3 * 86_400, False),
        ),
        (
            (Term.PAUSED,),
            0.0,
            f"{NONE} paused by its owner.",
            *(None, False),
        ),
    ],
)
def test_accounts_that_are_closed_are_told_with_term_and_opening(
    terms: Any, seconds: float, message: str, retry_after: Any, again: bool
) -> None:
    until = NOW + seconds if seconds else 0.0

    error = concluded(nobody=NoCandidate(cause=NoCandidateCause.CLOSED, until=until, terms=terms))

    assert (error.message, error.retry_after, error.should_retry) == (message, retry_after, again)
