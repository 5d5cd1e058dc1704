"""The access log: one `exchange.settled` line on stdout for each settled exchange.

Unless stdout is a terminal, the line is encoded directly to JSON, without structlog's processors:
it is written for every request. Text from clients and from upstream is redacted here. The line
holds the selection inputs of its attempts (field `ballots`) where LOG_SELECTIONS asks for them.
"""

import datetime as dt
from typing import Any, Final

import msgspec
import structlog

from codex_proapi.commons.runtime.line_writer import TextOutput
from codex_proapi.commons.runtime.logging import redacted
from codex_proapi.commons.usage.exchange_record import AttemptRecord, ExchangeRecord
from codex_proapi.gateway.server.request_context import client

EVENT: Final = "exchange.settled"

log = structlog.get_logger(__name__)

_encode: Final = msgspec.json.Encoder().encode


class AccessLog:
    """Writes access log lines; a reader of exchange records.

    Args:
        stream: where lines go.
    """

    def __init__(self, stream: TextOutput) -> None:
        self._stream = stream
        self._readable = stream.isatty()

    def __repr__(self) -> str:
        return f"<AccessLog to {getattr(self._stream, 'name', self._stream)}>"

    def settle(self, record: ExchangeRecord) -> None:
        """Write the line of one record."""
        facts = facts_of(record)
        if self._readable:
            log.info(EVENT, **{name: value for name, value in facts.items() if value not in _NIL})
            return
        at = dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")
        line = {
            "event": EVENT,
            "level": "info",
            "timestamp": at,
            **facts,
            "client": client(),
        }
        if any(record.selection_inputs):
            line["ballots"] = record.selection_inputs
        self._stream.write(_encode(line).decode() + "\n")
        self._stream.flush()  # soon: a killed process must not lose lines of answers it gave


_NIL: Final[tuple[object, ...]] = ("", 0, False, [])
"""Values that are left out of lines on a terminal."""


def facts_of(record: ExchangeRecord) -> dict[str, Any]:
    """The fields of a record's line, by name."""
    tokens = record.tokens
    return {
        "request_id": record.request_id,
        "endpoint": record.endpoint,
        "ending": record.ending,
        "status": record.status,
        "code": record.code,
        "streamed": record.streamed,
        "key_id": record.key_id,
        "key_name": redacted(record.key_name),
        "account": record.account,
        "asked_model": redacted(record.asked_model),
        "sent_model": record.sent_model,
        "fallback": record.fallback,
        "small_work": record.small_work,
        "small_work_outcome": record.small_work_outcome,
        "answered_model": record.answered_model,
        "substituted": record.substituted,
        "attempts": [_attempt(attempt) for attempt in record.attempts],
        "input_tokens": tokens.input,
        "cached_tokens": tokens.cached,
        "output_tokens": tokens.output,
        "reasoning_tokens": tokens.reasoning,
        "estimated_tokens": record.estimated,
        "first_byte_ms": record.first_byte_ms,
        "total_ms": record.total_ms,
        "upstream_request_id": record.upstream_request_id,
        "transport": record.transport,
        "transport_why": record.transport_why,
        "dropped": record.dropped,
    }


def _attempt(attempt: AttemptRecord) -> str:
    """`acc_… next_account: 429 usage_limit_reached, 31 ms; next in turn; weekly window 12 % used`."""
    why = f"{attempt.status} {redacted(attempt.code)}" if attempt.code else f"{attempt.status}"
    if attempt.cause:
        why += f" ({redacted(attempt.cause)})"
    if attempt.message:
        why += f' "{redacted(attempt.message)}"'
    return (
        f"{attempt.account} {attempt.verdict}: {why}, {attempt.milliseconds} ms; "
        f"{attempt.why or attempt.choice}"
    )
