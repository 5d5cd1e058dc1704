"""What a report learns from a passing answer."""

import json
from typing import Any

import pytest
from support import upstream_says as says

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.formats.codex.events import decode_event
from codex_proapi.gateway.translation.stream.response_facts import incomplete_reason
from codex_proapi.gateway.translation.stream.response_observer import observe
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

TOKENS = Tokens(input=100, cached=80, cache_write=8, output=20, reasoning=5)


def reported(*bodies: Any) -> ResponseReport:
    report = ResponseReport()
    for body in bodies:
        observe(decode_event(None, json.dumps(body).encode()), report)
    return report


def test_a_whole_answer() -> None:
    report = reported(says.created(), says.text("Hi"), says.completed(service_tier="priority"))

    assert (report.response_id, report.answered_model) == ("resp_1", "gpt-5.5")
    assert (report.tokens, report.ending, report.code) == (TOKENS, Ending.WHOLE, "")


def test_a_short_answer_says_why() -> None:
    report = reported(says.created(), says.incomplete("content_filter"))

    assert (report.tokens, report.ending, report.code) == (TOKENS, Ending.SHORT, "content_filter")


def test_a_failed_answer_has_its_refusal_and_its_tokens() -> None:
    report = reported(says.created(), says.failed("usage_limit_reached", usage=says.USAGE))

    assert (report.tokens, report.ending, report.code) == (
        TOKENS,
        Ending.BROKEN,
        "usage_limit_reached",
    )
    assert report.refusal is not None
    assert report.refusal.status == 429


def test_an_error_event_is_a_failure_without_tokens() -> None:
    report = reported({"type": "error", "error": {"type": "server_error", "message": "m"}})

    assert (report.tokens, report.ending, report.code) == (None, Ending.BROKEN, "server_error")


def test_quota_and_late_headers_are_kept() -> None:
    report = reported(
        says.rate_limits(42),
        {"type": "codex.response.metadata", "headers": {"X-Codex-Turn-State": "ts", "n": 1}},
        {"type": "response.metadata", "headers": {"a": "b"}},
        {"type": "codex.rate_limits"},
    )

    assert report.quota is not None
    assert report.metadata == {"x-codex-turn-state": "ts", "a": "b"}


@pytest.mark.parametrize("headers", [None, [], "x", 5])
def test_late_headers_of_another_shape_are_none(headers: Any) -> None:
    assert reported({"type": "response.metadata", "headers": headers}).metadata == {}
    assert reported({"type": "response.metadata"}).metadata == {}


def test_only_events_nobody_knows_are_counted() -> None:
    report = reported(
        {"type": "keepalive"},
        {"type": "response.content_part.added"},
        {"type": "responsesapi.websocket_timing"},
        {"type": "response.brand.new"},
    )

    assert report.unknown_events == {"response.brand.new": 1}


@pytest.mark.parametrize(
    "response", [None, [], {"id": 5, "model": None}, {"id": "", "model": ""}, "x"]
)
def test_a_response_of_another_shape_teaches_nothing(response: Any) -> None:
    report = reported(
        {"type": "response.created", "response": response},
        {"type": "response.incomplete", "response": response},
    )

    assert (report.response_id, report.answered_model, report.code) == ("", "", "")


@pytest.mark.parametrize("details", [None, {}, [], {"reason": 5}])
def test_an_answer_may_be_short_without_a_reason(details: Any) -> None:
    event = decode_event(None, json.dumps(says.incomplete(incomplete_details=details)).encode())

    assert incomplete_reason(event.response) == ""  # type: ignore[union-attr]
