from typing import Any

import pytest
from msgspec import Raw, json

from codex_proapi.commons.accounts.model import AccountState, CooldownReason
from codex_proapi.gateway.formats.codex.events import ResponseFailed, UpstreamErrorEvent
from codex_proapi.gateway.formats.codex.refusals import Refusal, decode_refusal, refusal_of_event
from codex_proapi.gateway.policy.refusal_kinds import RefusalKind, kind_of
from codex_proapi.gateway.policy.retry import (
    HOUR,
    LONGEST_RATE_WAIT,
    MINUTE,
    TABLE,
    Change,
    Fault,
    Verdict,
    decide,
    parameter_of,
)

NOW = 1_790_000_000.0
HTML = b"<!DOCTYPE html><html><title>Just a moment...</title></html>"


def answer(status: int, body: Any = b"", **headers: Any) -> Any:
    """The refusal in one HTTP answer."""
    content = body if isinstance(body, bytes) else json.encode(body)
    return decode_refusal(status, {k.replace("_", "-"): v for k, v in headers.items()}, content)


def coded(status: int, code: str | None, message: Any = "no", **fields: Any) -> Any:
    """A refusal in the error envelope."""
    return answer(status, {"error": {"code": code, "message": message, **fields}})


def typed(status: int, kind: Any, **fields: Any) -> Any:
    return answer(status, {"error": {"type": kind, "message": "no", **fields}})


def spent(limit: str) -> Any:
    """A quota that is spent, by the name of its limit."""
    body = {"error": {"type": "usage_limit_reached", "message": "no", "resets_at": NOW + 60}}
    return answer(429, body, x_codex_active_limit=limit)


def detail(status: int, text: Any) -> Any:
    return answer(status, {"detail": text})


NOT_IN_PLAN = "The 'gpt-6-sol' model is not supported when using Codex with a ChatGPT account."
NO_IMAGE = "The image data you provided does not represent a valid image. Please try again."
TOO_OLD = "The 'gpt-6-sol' model requires a newer version of Codex. Please upgrade."
INVALIDATED = "Your authentication token has been invalidated. Please try signing in again."

ROWS = [
    # Every row of the backend's errors: refusal, kind, first verdict, change, verdict after it.
    (detail(400, "Unsupported parameter: top_p"), RefusalKind.PARAMETER, Change.WITHOUT_PARAMETER),
    (detail(400, "Store must be set to false"), RefusalKind.REQUEST, None),
    (detail(400, "Stream must be set to true"), RefusalKind.REQUEST, None),
    (detail(400, "Instructions are required"), RefusalKind.SHAPE, Change.OTHER_SHAPE),
    (coded(400, "invalid_value"), RefusalKind.REQUEST, None),
    (coded(400, "invalid_function_parameters"), RefusalKind.REQUEST, None),
    (coded(400, "invalid_value", NO_IMAGE), RefusalKind.IMAGE, Change.WITHOUT_IMAGES),
    (coded(400, "image_parse_error"), RefusalKind.IMAGE, Change.WITHOUT_IMAGES),
    (typed(400, "invalid_request_error"), RefusalKind.REQUEST, None),
    (coded(400, "unknown_parameter"), RefusalKind.PARAMETER, Change.WITHOUT_PARAMETER),
    (coded(400, "context_length_exceeded"), RefusalKind.REQUEST, None),
    (coded(400, "invalid_encrypted_content"), RefusalKind.ENCRYPTED, Change.WITHOUT_ENCRYPTED),
    (
        coded(400, "unsupported_value", param="reasoning.context"),
        RefusalKind.SHAPE,
        Change.OTHER_SHAPE,
    ),
    (detail(400, NOT_IN_PLAN), RefusalKind.MODEL_NOT_IN_PLAN, None),
    (answer(400, {"error": {"message": NOT_IN_PLAN}}), RefusalKind.MODEL_NOT_IN_PLAN, None),
    (detail(400, TOO_OLD), RefusalKind.CLIENT_TOO_OLD, None),
    (coded(400, "cyber_policy"), RefusalKind.REQUEST, None),
    (coded(400, "invalid_prompt"), RefusalKind.REQUEST, None),
    (coded(401, "token_expired"), RefusalKind.EXPIRED, Change.CREDENTIAL),
    (coded(401, "token_invalidated", INVALIDATED), RefusalKind.SESSION, Change.CREDENTIAL),
    (coded(401, "token_revoked"), RefusalKind.SESSION, Change.CREDENTIAL),
    (coded(401, None, "Your session has ended"), RefusalKind.EXPIRED, Change.CREDENTIAL),
    (answer(401), RefusalKind.EXPIRED, Change.CREDENTIAL),
    (coded(401, "account_deactivated"), RefusalKind.DEACTIVATED, None),
    (coded(403, "account_deactivated"), RefusalKind.DEACTIVATED, None),
    (coded(403, None, "This workspace has been deactivated."), RefusalKind.DEACTIVATED, None),
    (answer(402, {"detail": {"code": "deactivated_workspace"}}), RefusalKind.DEACTIVATED, None),
    (answer(402), RefusalKind.FORBIDDEN, None),
    (coded(402, None, "Payment required."), RefusalKind.FORBIDDEN, None),
    (answer(403, HTML), RefusalKind.CHALLENGE, Change.NOTHING),
    (answer(403, b"", cf_mitigated="challenge"), RefusalKind.CHALLENGE, Change.NOTHING),
    (answer(429, HTML), RefusalKind.CHALLENGE, Change.NOTHING),
    (coded(403, "unsupported_country_region_territory"), RefusalKind.COUNTRY, None),
    (coded(403, "codex_not_allowed"), RefusalKind.FORBIDDEN, None),
    (
        coded(404, None, "Model not found gpt-5.6-luna", param="model"),
        RefusalKind.SHAPE,
        Change.OTHER_SHAPE,
    ),
    (coded(404, None, "No such thing", param="model"), RefusalKind.SHAPE, Change.OTHER_SHAPE),
    (coded(404, "model_not_found"), RefusalKind.SHAPE, Change.OTHER_SHAPE),
    (detail(404, "Not Found"), RefusalKind.NO_PATH, Change.NOTHING),
    (answer(404), RefusalKind.NO_PATH, Change.NOTHING),
    (answer(404, HTML), RefusalKind.NO_PATH, Change.NOTHING),
    (coded(404, None, "No such file.", param="input"), RefusalKind.REQUEST, None),
    (coded(404, "file_not_found"), RefusalKind.REQUEST, None),
    *((answer(status), RefusalKind.TRANSIENT, Change.NOTHING) for status in (408, 409, 425)),
    (answer(413), RefusalKind.REQUEST, None),
    (answer(422), RefusalKind.REQUEST, None),
    (answer(426), RefusalKind.REQUEST, None),
    (typed(429, "usage_limit_reached", resets_in_seconds=500), RefusalKind.SPENT, None),
    (typed(429, "usage_limit_reached", code="rate_limit_exceeded"), RefusalKind.SPENT, None),
    (spent("codex"), RefusalKind.SPENT, None),
    (spent("premium"), RefusalKind.SPENT, None),
    (spent("codex_bengalfox"), RefusalKind.MODEL_SPENT, None),
    (spent("codex-bengalfox"), RefusalKind.MODEL_SPENT, None),
    (typed(429, "usage_not_included"), RefusalKind.NOT_INCLUDED, None),
    (coded(429, "insufficient_quota"), RefusalKind.SPENT, None),
    (coded(429, "credit_balance_exhausted"), RefusalKind.SPENT, None),
    (coded(429, "project_spend_limit_exceeded"), RefusalKind.SPENT, None),
    (coded(429, "rate_limit_exceeded"), RefusalKind.RATE, None),
    (coded(429, "slow_down"), RefusalKind.RATE, None),
    (answer(429), RefusalKind.RATE, None),
    (coded(429, "flex_unavailable"), RefusalKind.TIER, Change.WITHOUT_TIER),
    *((answer(s), RefusalKind.TRANSIENT, Change.NOTHING) for s in (500, 502, 520, 529)),
    *((answer(s), RefusalKind.TIMEOUT, None) for s in (504, 522, 524)),
    (answer(502, HTML), RefusalKind.TRANSIENT, Change.NOTHING),
    (coded(503, "server_is_overloaded"), RefusalKind.CAPACITY, Change.NOTHING),
    (answer(503), RefusalKind.CAPACITY, Change.NOTHING),
    (coded(400, "a_code_from_next_year"), RefusalKind.REQUEST, None),
    (coded(500, "a_code_from_next_year"), RefusalKind.TRANSIENT, Change.NOTHING),
    (Refusal(status=0, code="upstream_unreachable"), RefusalKind.UNREACHABLE, Change.NOTHING),
    (
        Refusal(status=0, code="upstream_unreachable", cause="timeout: tls"),
        RefusalKind.CONNECT_TIMEOUT,
        None,
    ),
    (Refusal(status=0, code="upstream_timeout"), RefusalKind.TIMEOUT, None),
    (Refusal(status=0, code="upstream_connection_lost"), RefusalKind.TRANSIENT, Change.NOTHING),
    (
        Refusal(status=0, code="upstream_connection_stale"),
        RefusalKind.STALE_CONNECTION,
        Change.NEW_CONNECTION,
    ),
    (Refusal(status=0, code="upstream_connection_lost", late=True), RefusalKind.LOST_LATE, None),
    (Refusal(status=0, code="upstream_stream_truncated", late=True), RefusalKind.LOST_LATE, None),
    (Refusal(status=0, code="upstream_socket_lost", late=True), RefusalKind.SOCKET_LATE, None),
    (Refusal(status=0, code="upstream_timeout", late=True), RefusalKind.TIMEOUT, None),
    (
        Refusal(status=0, code="upstream_unreachable", late=True),
        RefusalKind.UNREACHABLE,
        Change.NOTHING,
    ),
    (Refusal(status=502, late=True), RefusalKind.TRANSIENT, Change.NOTHING),
]

IN_STREAM = {
    "context_length_exceeded": RefusalKind.REQUEST,
    "insufficient_quota": RefusalKind.SPENT,
    "credit_balance_exhausted": RefusalKind.SPENT,
    "organization_spend_limit_exceeded": RefusalKind.SPENT,
    "project_spend_limit_exceeded": RefusalKind.SPENT,
    "organization_usage_limit_exceeded": RefusalKind.SPENT,
    "usage_not_included": RefusalKind.NOT_INCLUDED,
    "usage_limit_reached": RefusalKind.SPENT,
    "invalid_prompt": RefusalKind.REQUEST,
    "cyber_policy": RefusalKind.REQUEST,
    "bio_policy": RefusalKind.REQUEST,
    "content_policy_violation": RefusalKind.REQUEST,
    "misalignment_policy_violation": RefusalKind.REQUEST,
    "image_content_policy_violation": RefusalKind.IMAGE,
    "model_not_found": RefusalKind.SHAPE,
    "server_is_overloaded": RefusalKind.CAPACITY,
    "flex_unavailable": RefusalKind.TIER,
    "rate_limit_exceeded": RefusalKind.RATE,
    "slow_down": RefusalKind.RATE,
    "server_error": RefusalKind.TRANSIENT,
    "previous_response_not_found": RefusalKind.TRANSIENT,
    "websocket_connection_limit_reached": RefusalKind.TRANSIENT,
    "a_code_from_next_year": RefusalKind.TRANSIENT,
}


@pytest.mark.parametrize(("refusal", "kind", "change"), ROWS)
def test_every_refusal_has_its_row(refusal: Any, kind: Any, change: Any) -> None:
    decision = decide(refusal, now=NOW)

    assert (decision.kind, decision.change) == (kind, change)


@pytest.mark.parametrize(("code", "kind"), IN_STREAM.items())
def test_a_failure_inside_the_stream_is_judged_like_a_status(code: str | None, kind: Any) -> None:
    failed = ResponseFailed(Raw(json.encode({"error": {"code": code, "message": "no"}})))
    error = UpstreamErrorEvent(Raw(json.encode({"type": "error", "code": code, "message": "no"})))

    assert kind_of(refusal_of_event(failed)) is kind
    assert kind_of(refusal_of_event(error)) is kind


@pytest.mark.parametrize(("refusal", "kind", "change"), [r for r in ROWS if r[2]])
def test_what_is_tried_once_is_not_tried_twice(refusal: Any, kind: Any, change: Any) -> None:
    first = decide(refusal, now=NOW)
    second = decide(refusal, now=NOW, tried={change})

    fresh = change is Change.CREDENTIAL
    assert first.verdict is (Verdict.SAME_ACCOUNT_FRESH if fresh else Verdict.SAME_ACCOUNT_AGAIN)
    assert second.verdict is TABLE[kind].then
    assert second.change is None


def test_the_requests_own_faults_touch_no_account_and_are_tried_on_one() -> None:
    own = [row for row in TABLE.values() if row.fault is Fault.REQUEST and not row.model_only]

    assert {row.then for row in own} == {Verdict.GIVE_UP}
    assert not any(row.cooldown or row.state or row.counts for row in own)


@pytest.mark.parametrize("route", ["images/generations", "images/edits", "alpha/search"])
@pytest.mark.parametrize(
    "refusal", [Refusal(status=500), Refusal(status=0, code="upstream_connection_lost")]
)
def test_a_fault_of_another_route_does_not_count_against_the_account(
    refusal: Refusal, route: str
) -> None:
    own = decide(refusal, now=0, tried=tuple(Change))
    other = decide(refusal, now=0, tried=tuple(Change), route=route)

    assert (own.row.counts, other.row.counts) == (True, False)
    assert (other.verdict, other.kind, other.change) == (own.verdict, own.kind, own.change)


def test_only_quota_uses_reset_times() -> Any:
    def refused(status: int, code: str) -> Any:
        return Refusal(status=status, code=code, resets_at=int(NOW) + 900, retry_after=5.0)

    seconds = {
        kind: decide(refused(s, c), now=NOW, tried=set(Change)).seconds
        for kind, s, c in [
            (RefusalKind.SPENT, 429, "usage_limit_reached"),
            (RefusalKind.RATE, 429, "rate_limit_exceeded"),
            (RefusalKind.EXPIRED, 401, "token_expired"),
            (RefusalKind.FORBIDDEN, 403, "forbidden"),
        ]
    }

    assert seconds == {
        RefusalKind.SPENT: 900,
        RefusalKind.RATE: 5,
        RefusalKind.EXPIRED: 10 * MINUTE,
        RefusalKind.FORBIDDEN: 20 * MINUTE,
    }


def test_a_limit_without_a_time_has_our_own() -> None:
    assert decide(Refusal(status=429, type="usage_limit_reached"), now=NOW).seconds == HOUR
    assert decide(Refusal(status=429), now=NOW).seconds == 30
    assert decide(Refusal(status=429, retry_after=9e9), now=NOW).seconds == LONGEST_RATE_WAIT


def test_a_dead_session_is_marked_only_after_a_renewed_credential_was_refused() -> None:
    refusal = coded(401, "token_invalidated")

    assert decide(refusal, now=NOW).change is Change.CREDENTIAL
    final = decide(refusal, now=NOW, tried={Change.CREDENTIAL})
    assert (final.row.state, final.row.cooldown) == (
        AccountState.REVOKED,
        CooldownReason.CREDENTIAL,
    )


def test_a_plain_401_after_a_renewal_cools_and_condemns_nobody() -> None:
    final = decide(answer(401), now=NOW, tried={Change.CREDENTIAL})

    assert (final.verdict, final.row.state) == (Verdict.NEXT_ACCOUNT, None)


def test_a_model_outside_the_plan_cools_that_model_alone() -> None:
    decision = decide(detail(400, NOT_IN_PLAN), now=NOW)

    assert decision.row.model_only
    assert decision.seconds == 6 * HOUR


@pytest.mark.parametrize(
    ("refusal", "name"),
    [
        (detail(400, "Unsupported parameter: max_output_tokens"), "max_output_tokens"),
        (detail(400, "Unknown parameter: 'input[3].namespace'."), "input[3].namespace"),
        (coded(400, "unknown_parameter", param="text.verbosity"), "text.verbosity"),
        (answer(400), ""),
    ],
)
def test_the_refused_parameter_is_found(refusal: Any, name: str) -> None:
    assert parameter_of(refusal) == name


@pytest.mark.parametrize("status", [204, 302])
def test_what_neither_answers_nor_refuses_leads_to_the_next_account(status: int) -> None:
    found = decide(Refusal(status=status), now=0.0, tried=tuple(Change))

    assert (found.kind, found.verdict) == (RefusalKind.TRANSIENT, Verdict.NEXT_ACCOUNT)


@pytest.mark.parametrize(
    ("refusal", "kind", "otherwise"),
    [
        (detail(400, NOT_IN_PLAN), RefusalKind.CLIENT_TOO_OLD, RefusalKind.MODEL_NOT_IN_PLAN),
        (detail(404, "Model not found gpt-6-luna"), RefusalKind.CLIENT_TOO_OLD, RefusalKind.SHAPE),
        (coded(400, "unsupported_value"), RefusalKind.SHAPE, RefusalKind.SHAPE),
        (coded(429, "usage_limit_reached"), RefusalKind.SPENT, RefusalKind.SPENT),
    ],
)
def test_a_client_older_than_the_models_minimum_loses_no_entitlement(
    refusal: Any, kind: Any, otherwise: Any
) -> None:
    assert decide(refusal, now=NOW, outdated=True).kind is kind
    assert decide(refusal, now=NOW).kind is otherwise


@pytest.mark.parametrize(
    ("refusal", "native"),
    [
        (coded(400, "invalid_value", param="tools[1].type"), True),
        (detail(400, "Unsupported tool type: tool_search"), True),
        (coded(400, "unknown_parameter", param="input[2].defer_loading"), True),
        (coded(400, "unsupported_value", param="input[2].tool_search"), True),
        (coded(400, "invalid_value", param="input[2]"), False),
        (coded(429, "rate_limit_exceeded"), False),
    ],
)
def test_a_refused_tool_search_is_sent_as_text_once(refusal: Any, native: bool) -> None:
    first = decide(refusal, now=NOW)
    again = decide(refusal, now=NOW, tried={Change.WITHOUT_TOOL_SEARCH})

    assert (first.change is Change.WITHOUT_TOOL_SEARCH) is native
    assert again.kind is not RefusalKind.TOOL_SEARCH
