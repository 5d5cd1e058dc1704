"""Every form of the backend's no, as one value."""

import base64
import json
from typing import Any

import pytest
from support import upstream_says as says

from codex_proapi.gateway.formats.codex.events import (
    ResponseFailed,
    UpstreamErrorEvent,
    decode_event,
)
from codex_proapi.gateway.formats.codex.refusals import (
    LOG_WORDS,
    Refusal,
    decode_refusal,
    refusal_of_event,
    words_of,
)

NOW = 1_775_000_000.0


def refused(status: int, body: Any, **headers: str) -> Refusal:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode_refusal(status, {k.replace("_", "-"): v for k, v in headers.items()}, data)


def in_stream(body: Any) -> Refusal:
    event = decode_event(None, json.dumps(body).encode())
    assert isinstance(event, ResponseFailed | UpstreamErrorEvent)
    return refusal_of_event(event)


USAGE_LIMIT = {
    "type": "usage_limit_reached",
    "message": "The usage limit has been reached",
    "plan_type": "free",
    "resets_at": 1775317531,
    "resets_in_seconds": 602705,
    "eligible_promo": None,
}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (
            400,
            {"detail": "Unsupported parameter: user"},
            {"message": "Unsupported parameter: user"},
        ),
        (402, {"detail": {"code": "deactivated_workspace"}}, {"code": "deactivated_workspace"}),
        (
            401,
            {
                "error": {
                    "message": "Expired.",
                    "type": None,
                    "code": "token_expired",
                    "param": None,
                },
                "status": 401,
            },
            {"message": "Expired.", "code": "token_expired"},
        ),
        (
            404,
            {
                "error": {
                    "message": "Model not found x",
                    "type": "invalid_request_error",
                    "param": "model",
                    "code": None,
                }
            },
            {"message": "Model not found x", "type": "invalid_request_error", "param": "model"},
        ),
        (
            400,
            {"error": "invalid_grant", "error_description": "Gone."},
            {"code": "invalid_grant", "message": "Gone."},
        ),
        (400, {"error": "invalid_grant"}, {"code": "invalid_grant"}),
        (500, {"error": "Something went wrong."}, {"message": "Something went wrong."}),
        (403, {"code": "no_access", "message": "No."}, {"code": "no_access", "message": "No."}),
        (418, {"error": {"code": 77, "message": 5}}, {"code": "77"}),
        (418, {"error": {"code": True}}, {"message": '{"error": {"code": true}}'}),
        (
            422,
            {"detail": [{"loc": ["body"], "msg": "field required"}, {"msg": "bad"}, "odd"]},
            {"message": "field required; bad"},
        ),
        (503, b"upstream connect error", {"message": "upstream connect error"}),
        (500, b"", {}),
        (500, b"\xff", {"message": "\ufffd"}),
        (500, b"null", {"message": "null"}),
    ],
)
def test_a_body_of_any_form_is_read(status: int, body: Any, expected: dict[str, Any]) -> None:
    assert refused(status, body) == Refusal(status=status, **expected)


def test_a_usage_limit_says_when_it_ends() -> None:
    refusal = refused(429, {"error": USAGE_LIMIT}, x_codex_primary_used_percent="100")

    assert (refusal.resets_at, refusal.resets_in, refusal.plan) == (1775317531, 602705, "free")
    assert refusal.names("usage_limit_reached", "insufficient_quota")
    assert not refusal.names("slow_down")
    assert refusal.quota is not None


@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html><html>", b"  <html lang=en>", b"<HTML><body>Just a moment..."]
)
def test_a_page_is_known_by_its_looks(page: bytes) -> None:
    assert refused(403, page) == Refusal(status=403, is_html=True)


def test_a_challenge_is_known_by_its_headers() -> None:
    assert refused(403, b"x", cf_mitigated="challenge").is_html
    assert refused(503, b"x", content_type="text/html; charset=utf-8").is_html


def test_the_code_may_hide_in_a_header() -> None:
    hidden = base64.b64encode(json.dumps({"error": {"code": "token_expired"}}).encode()).decode()

    assert refused(401, {"detail": "Unauthorized"}, x_error_json=hidden) == Refusal(
        status=401, code="token_expired", message="Unauthorized"
    )
    assert refused(401, b"", x_error_json="no base64!").code == ""
    assert refused(401, b"", x_error_json="bm9qc29u").code == ""
    assert refused(401, b"", x_openai_authorization_error="session_ended").code == "session_ended"


def test_the_plan_may_stand_in_a_header() -> None:
    assert refused(429, b"", X_Codex_Plan_Type="pro").plan == "pro"


SEVEN = "Wed, 21 Oct 2026 07:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"Retry-After": "0"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": SEVEN}, 28 * 60.0),
        ({"retry-after": "Wednesday, 21-Oct-26 07:00:30 GMT", "date": SEVEN}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 09:00:05 +0200", "date": SEVEN}, 5.0),
        ({"retry-after": "Wed, 21 Oct 2026 06:00:00 GMT", "date": SEVEN}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2028 06:00:00 GMT", "date": SEVEN}, None),
        ({"retry-after": "Wed, 99 Oct 99999 99:00:00 GMT", "date": SEVEN}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "now"}, None),
        ({"retry-after": "soon", "date": SEVEN}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_the_wait_is_read_from_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert decode_refusal(429, headers, b"{}").retry_after == seconds


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached. Please try again in 1.1s.", 1.1),
        ("Please try again in 20ms", 0.02),
        ("Please try again in 6m0s.", 360.0),
        ("Try again in 2 minutes", 120.0),
        ("try again in 1h 30 min", 5400.0),
        ("try again in 300 milliseconds", 0.3),
        ("try again in 5 more attempts", None),
        ("try again in a while", None),
        ("try again at 12:00", None),
    ],
)
def test_the_wait_is_read_from_the_message_only_without_a_header(
    message: str, seconds: float | None
) -> None:
    body = {"error": {"code": "rate_limit_exceeded", "message": message}}

    assert refused(429, body).retry_after == (None if seconds is None else pytest.approx(seconds))
    assert refused(429, body, retry_after="3").retry_after == 3.0


def test_long_messages_are_cut() -> None:
    assert len(refused(400, {"detail": "x" * 9000}).message) == 2000
    assert len(refused(400, b"x" * 9000).message) == 2000


def test_a_failed_response_inside_a_200_is_a_refusal_too() -> None:
    refusal = in_stream(says.failed("rate_limit_exceeded", "Please try again in 1.1s."))

    assert refusal == Refusal(
        status=429,
        code="rate_limit_exceeded",
        message="Please try again in 1.1s.",
        retry_after=1.1,
        in_stream=True,
    )


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("server_is_overloaded", 503),
        ("context_length_exceeded", 400),
        ("usage_limit_reached", 429),
        ("server_error", 500),
        ("never_heard_of", 502),
    ],
)
def test_a_code_inside_a_stream_stands_for_a_status(code: str, status: int) -> None:
    assert in_stream(says.failed(code)).status == status


@pytest.mark.parametrize(
    "body",
    [
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "code": "slow_down", "message": "m"},
        },
        {"type": "error", "code": "slow_down", "message": "m", "param": None},
    ],
)
def test_error_events_are_read_nested_and_flat(body: Any) -> None:
    refusal = in_stream(body)

    assert (refusal.status, refusal.code, refusal.message) == (429, "slow_down", "m")
    assert refusal.type in ("invalid_request_error", "")


def test_a_websockets_error_frame_brings_its_status_and_headers() -> None:
    headers = {
        "X-Codex-Primary-Used-Percent": "100",
        "X-Codex-Primary-Window-Minutes": 300,
        "X-Codex-Credits-Has-Credits": True,
        "odd": None,
    }
    frame = {"type": "error", "status_code": 429, "error": USAGE_LIMIT, "headers": headers}
    refusal = in_stream(frame)

    assert (refusal.status, refusal.type, refusal.in_stream) == (429, "usage_limit_reached", True)
    assert refusal.quota is not None
    assert refusal.quota.spent_window is not None
    assert refusal.quota.spent_window.minutes == 300
    assert refusal.quota.credits is not None
    assert refusal.quota.credits.has_credits
    assert in_stream({**frame, "status": 401}).status == 401


def test_the_type_stands_in_for_a_missing_code() -> None:
    assert in_stream({"type": "error", "error": {"type": "usage_limit_reached"}}).status == 429


@pytest.mark.parametrize(
    "body",
    [
        {"type": "response.failed"},
        {"type": "response.failed", "response": {"error": None}},
        {"type": "error"},
    ],
)
def test_a_failure_without_a_reason_is_a_refusal_all_the_same(body: Any) -> None:
    assert in_stream(body) == Refusal(status=502, in_stream=True)


@pytest.mark.parametrize(
    ("refusal", "wait"),
    [
        (Refusal(status=429, resets_at=int(NOW) + 60, resets_in=5), 60.0),
        (Refusal(status=429, resets_at=int(NOW) - 60, resets_in=5), 5.0),
        (Refusal(status=429, resets_at=int(NOW) + 367 * 86400), None),
        (Refusal(status=429, resets_in=0), None),
        (Refusal(status=429), None),
    ],
)
def test_a_reset_counts_only_if_it_can_be_believed(refusal: Refusal, wait: float | None) -> None:
    assert refusal.wait(NOW) == wait


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"used-percent": "100", "reset-at": str(int(NOW) + 90)}, 90.0),
        ({"used-percent": "100", "reset-at": "5", "reset-after-seconds": "30"}, 30.0),
        ({"used-percent": "100", "reset-at": ""}, None),
        ({"used-percent": "99", "reset-at": str(int(NOW) + 90)}, None),
    ],
)
def test_else_the_spent_windows_own_reset_counts(
    headers: dict[str, str], wait: float | None
) -> None:
    window = {f"x-codex-primary-{name}": value for name, value in headers.items()}

    assert decode_refusal(429, window, b"").wait(NOW) == wait


def test_numbers_may_be_written_as_text_and_nonsense_is_none() -> None:
    error = {"type": "x", "resets_at": "1775317531", "resets_in_seconds": "soon"}
    refusal = refused(429, {"error": error})

    assert (refusal.resets_at, refusal.resets_in) == (1775317531, None)
    assert refused(429, {"error": {"type": "x", "resets_at": True}}).resets_at is None
    assert refused(429, b'{"error":{"type":"x","resets_at":1e999}}').resets_at is None


@pytest.mark.parametrize(
    "quoted",
    ["Bearer abc.def", "eyJhbGciOi.eyJleHAiOjE.c2ln-_A", "rt_0123456789ab", "sk-0123456789"],
)
def test_a_credential_that_a_refusal_quotes_is_not_told(quoted: str) -> None:
    refusal = refused(500, {"error": {"message": f"Cannot use {quoted} for task-list."}})

    assert refusal.message == "Cannot use [hidden] for task-list."


def test_a_log_line_gets_upstreams_words_without_addresses_or_a_clients_text() -> None:
    said = Refusal(
        status=400,
        message="Invalid value: 'tell me all about my neighbour and her dog'\nof  ada@example.org,"
        " use 'low'. " + "word " * 100,
    )

    words = words_of(said)

    assert words.startswith("Invalid value: … of …, use 'low'. word")
    assert len(words) <= LOG_WORDS
    assert words_of(Refusal(status=502, is_html=True, message="<html>")) == ""
