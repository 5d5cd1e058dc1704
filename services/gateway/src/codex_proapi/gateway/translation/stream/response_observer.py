"""Fills the response report from events: tokens, model, ending, quota. Changes no event."""

from typing import Any, Final

import msgspec
from msgspec import Raw

from codex_proapi.commons.codex.quota_parser import combined, quota_of_event
from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, read_any, reader
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
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport
from codex_proapi.gateway.translation.stream.token_usage import tokens_of
from codex_proapi.gateway.translation.stream.unknown_fields import unknown_fields


class _Response(msgspec.Struct):
    id: Any = ""
    model: Any = ""
    incomplete_details: Any = None


_read: Final = reader(_Response)
NAME_LIMIT: Final = 128
KNOWN_EVENTS: Final = PUBLIC_EVENTS | VENDOR_EVENTS


def observe(event: UpstreamEvent, report: ResponseReport) -> None:
    """Update the report from one event."""
    match event:
        case ResponseCreated(response=response):
            _note_response(response, report)
            if found := unknown_fields(response):
                report.unknown_fields = frozenset(found)
        case ResponseCompleted(response=response):
            _note_response(response, report)
            report.tokens = tokens_of(response)
            report.ending = Ending.WHOLE
            report.unknown_fields |= frozenset(unknown_fields(response))
        case ResponseIncomplete(response=response):
            _note_response(response, report)
            report.tokens = tokens_of(response)
            report.ending = Ending.SHORT
            report.code = incomplete_reason(response)
        case ResponseFailed() | UpstreamErrorEvent():
            if isinstance(event, ResponseFailed):
                _note_response(event.response, report)
                report.tokens = tokens_of(event.response)
            report.refusal = refusal_of_event(event)
            report.ending = Ending.BROKEN
            report.code = report.refusal.code or report.refusal.type
        case RateLimits(body=body):
            report.quota = combined(report.quota, quota_of_event(body))
        case Metadata(headers=headers):
            report.metadata |= _headers(headers)
        case UnknownEvent(name=name) if name not in KNOWN_EVENTS:
            report.count_unknown(name)
        case _:
            pass


def incomplete_reason(response: Raw) -> str:
    """Why upstream ended an answer early (`incomplete_details.reason`); empty if missing."""
    try:
        details = _read(response or b"{}").incomplete_details
    except DECODE_ERRORS:
        return ""
    reason = details.get("reason") if isinstance(details, dict) else None
    return reason[:NAME_LIMIT] if isinstance(reason, str) else ""


def _note_response(response: Raw, report: ResponseReport) -> None:
    try:
        seen = _read(response or b"{}")
    except DECODE_ERRORS:
        return
    if isinstance(seen.id, str) and seen.id:
        report.response_id = seen.id[:NAME_LIMIT]
    if isinstance(seen.model, str) and seen.model:
        report.answered_model = seen.model[:NAME_LIMIT]


def _headers(raw: Raw) -> dict[str, str]:
    try:
        headers = read_any(raw or NOTHING)
    except DECODE_ERRORS:
        return {}
    if not isinstance(headers, dict):
        return {}
    return {name.lower(): value for name, value in headers.items() if isinstance(value, str)}
