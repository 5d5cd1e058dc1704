"""Fills the response report from events: tokens, model, ending, quota. Changes no event."""

from collections.abc import Callable
from typing import Any, Final

from msgspec import Raw

from codex_proapi.commons.codex.quota_parser import combined, quota_of_event
from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, read_any
from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.formats.codex.events import (
    NOTHING,
    Metadata,
    RateLimits,
    ResponseCompleted,
    ResponseCreated,
    ResponseFailed,
    ResponseIncomplete,
    UnknownEvent,
    UpstreamErrorEvent,
    UpstreamEvent,
)
from codex_proapi.gateway.formats.codex.refusals import refusal_of_event
from codex_proapi.gateway.formats.openai.responses import PUBLIC_EVENTS, VENDOR_EVENTS
from codex_proapi.gateway.translation.stream.response_facts import (
    ResponseFacts,
    facts_of,
    incomplete_reason,
)
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

KNOWN_EVENTS: Final = PUBLIC_EVENTS | VENDOR_EVENTS


def observe(event: UpstreamEvent, report: ResponseReport) -> None:
    """Update the report from one event."""
    if (note := OBSERVERS.get(type(event))) is not None:
        note(event, report)


def note_created(facts: ResponseFacts, report: ResponseReport) -> None:
    """Note the response object of a `response.created`."""
    _note_names(facts, report)
    if facts.unknown_fields:
        report.unknown_fields = frozenset(facts.unknown_fields)


def note_completed(facts: ResponseFacts, report: ResponseReport) -> None:
    """Note the response object of a `response.completed`."""
    _note_names(facts, report)
    report.tokens = facts.tokens
    report.ending = Ending.WHOLE
    if facts.unknown_fields:
        report.unknown_fields = report.unknown_fields.union(facts.unknown_fields)


def _created(event: ResponseCreated, report: ResponseReport) -> None:
    note_created(facts_of(event.response), report)


def _completed(event: ResponseCompleted, report: ResponseReport) -> None:
    note_completed(facts_of(event.response), report)


def _incomplete(event: ResponseIncomplete, report: ResponseReport) -> None:
    report.tokens = _response(event.response, report).tokens
    report.ending = Ending.SHORT
    report.code = incomplete_reason(event.response)


def _failed(event: ResponseFailed | UpstreamErrorEvent, report: ResponseReport) -> None:
    if isinstance(event, ResponseFailed):
        report.tokens = _response(event.response, report).tokens
    report.refusal = refusal_of_event(event)
    report.ending = Ending.BROKEN
    report.code = report.refusal.code or report.refusal.type


def _limits(event: RateLimits, report: ResponseReport) -> None:
    report.quota = combined(report.quota, quota_of_event(event.body))


def _metadata(event: Metadata, report: ResponseReport) -> None:
    report.metadata |= _headers(event.headers)


def _unknown(event: UnknownEvent, report: ResponseReport) -> None:
    if event.name not in KNOWN_EVENTS:
        report.count_unknown(event.name)


OBSERVERS: Final[dict[type[UpstreamEvent], Callable[[Any, ResponseReport], None]]] = {
    ResponseCreated: _created,
    ResponseCompleted: _completed,
    ResponseIncomplete: _incomplete,
    ResponseFailed: _failed,
    UpstreamErrorEvent: _failed,
    RateLimits: _limits,
    Metadata: _metadata,
    UnknownEvent: _unknown,
}
"""What notes an event in the report, by its type; other events say nothing for it."""


def _response(response: Raw, report: ResponseReport) -> ResponseFacts:
    facts = facts_of(response)
    _note_names(facts, report)
    return facts


def _note_names(facts: ResponseFacts, report: ResponseReport) -> None:
    report.response_id = facts.id or report.response_id
    report.answered_model = facts.model or report.answered_model


def _headers(raw: Raw) -> dict[str, str]:
    try:
        headers = read_any(raw or NOTHING)
    except DECODE_ERRORS:
        return {}
    if not isinstance(headers, dict):
        return {}
    return {name.lower(): value for name, value in headers.items() if isinstance(value, str)}
