"""GET /v1/requests/{id}: what became of one request of the key, by its `x-request-id`.

Without prompt, answer and names of accounts. It is there some seconds after the request has ended,
and as long as the log has its entry.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.commons.prices.list_prices import CURRENCY, Price
from codex_proapi.commons.prices.price_store import PriceStore
from codex_proapi.commons.prices.token_costs import cost_of, price_of
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.exchange_record import AttemptRecord, ExchangeRecord
from codex_proapi.commons.usage.log_stream import LogStream
from codex_proapi.gateway.errors import StoreUnreachable, UnknownRequest


async def receipt_of(
    key: ApiKey | None, request_id: str, logs: LogStream, prices: PriceStore
) -> bytes:
    """The receipt as JSON; None for clients without a key.

    Raises:
        UnknownRequest: the log has no such request of this key.
        StoreUnreachable: the log does not answer.
    """
    try:
        found = await logs.of_request(request_id)
        known = await prices.all()
    except StoreUnavailable:
        raise StoreUnreachable("The log does not answer. Please try again.") from None
    record = found.entry.exchange if found is not None else None
    if record is None or record.key_id != (key.id if key is not None else ""):
        raise UnknownRequest(
            "There is no request with this id in the log, or it is another key's. "
            "A request is there some seconds after its end."
        )
    return msgspec.json.encode(_body(record, known))


def _body(record: ExchangeRecord, prices: Mapping[str, Price]) -> dict[str, Any]:
    tokens = record.tokens
    return {
        "object": "request",
        "id": record.request_id,
        "created_at": int(record.at),
        "endpoint": record.endpoint,
        "stream": record.streamed,
        "outcome": record.ending.value,
        "status": record.status,
        "code": record.code or None,
        "model": {
            "asked": record.asked_model,
            "sent": record.sent_model,
            "answered": record.answered_model or None,
            "fallback": record.fallback,
            "substituted": record.substituted,
        },
        "small_work": _small_work(record),
        "reasoning_effort": record.effort or None,
        "service_tier": record.service_tier or None,
        "transport": record.transport or None,
        "dropped_parameters": record.dropped,
        "usage": {
            "input_tokens": tokens.input,
            "cached_tokens": tokens.cached,
            "cache_write_tokens": tokens.cache_write,
            "output_tokens": tokens.output,
            "reasoning_tokens": tokens.reasoning,
            "estimated_tokens": record.estimated,
        },
        "cost": _cost(record, prices),
        "attempts": [_attempt(each) for each in record.attempts],
        "waited_ms": record.waited_ms,
        "first_byte_ms": record.first_byte_ms or None,
        "longest_silence_seconds": record.silence_seconds,
        "total_ms": record.total_ms,
    }


def _cost(record: ExchangeRecord, prices: Mapping[str, Price]) -> dict[str, Any] | None:
    """What its tokens would cost at list prices, exact; None where nothing has a price."""
    price = price_of(record.counted_model, prices)
    amount = cost_of(record.tokens, price).known
    if price is None or amount is None:
        return None
    return {
        "currency": CURRENCY,
        "amount": f"{amount:f}",
        "price_source": price.source or None,
        "price_as_of": price.as_of or None,
    }


def _small_work(record: ExchangeRecord) -> dict[str, str] | None:
    if not record.small_work:
        return None
    return {"class": record.small_work, "outcome": record.small_work_outcome}


def _attempt(attempt: AttemptRecord) -> dict[str, Any]:
    """One attempt, without its account and without upstream's words, which may name it."""
    return {
        "outcome": attempt.verdict,
        "status": attempt.status or None,
        "code": attempt.code or None,
        "repair": attempt.repair or None,
        "milliseconds": attempt.milliseconds,
    }
