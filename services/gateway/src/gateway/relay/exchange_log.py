"""The one line that stdout gets for each settled exchange."""

import structlog

from commons.records import ExchangeRecord

log = structlog.get_logger(__name__)


def log_settled(record: ExchangeRecord) -> None:
    """Write the line: one of the four readers of a record."""
    tokens = record.tokens
    log.info(
        "exchange.settled",
        request_id=record.request_id,
        endpoint=record.endpoint,
        ending=record.ending.value,
        status=record.status,
        code=record.code,
        streamed=record.streamed,
        key_id=record.key_id,
        account=record.account,
        asked_model=record.asked_model,
        sent_model=record.sent_model,
        answered_model=record.answered_model,
        attempts=[
            f"{a.account} {a.verdict} {a.status} {a.code} ({a.choice}, {a.milliseconds} ms)"
            for a in record.attempts
        ],
        input_tokens=tokens.input,
        cached_tokens=tokens.cached,
        output_tokens=tokens.output,
        reasoning_tokens=tokens.reasoning,
        first_byte_ms=record.first_byte_ms,
        total_ms=record.total_ms,
        upstream_request_id=record.upstream_request_id,
        dropped=list(record.dropped),
    )
