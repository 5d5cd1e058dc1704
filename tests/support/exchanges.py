"""Invented exchanges whose sums are known."""

from codex_proapi.commons.usage.exchange_record import AttemptRecord, Ending, ExchangeRecord
from codex_proapi.commons.usage.token_counts import Tokens

AT = 1_795_000_000.0
"""2026-11-18, 11:06:40 UTC."""


def a_record(number: int) -> ExchangeRecord:
    """The exchange with this number: every third is refused, keys and accounts take turns."""
    refused = number % 3 == 0
    account = f"acc_{number % 2}"
    return ExchangeRecord(
        request_id=f"req_{number}",
        at=AT,
        endpoint="chat",
        key_id=f"key_{number % 5}",
        sent_model="gpt-5.5",
        account="" if refused else account,
        attempts=(
            AttemptRecord(
                account=account,
                verdict="give_up" if refused else "committed",
                code="usage_limit",
                why="next in turn",
            ),
        ),
        tokens=Tokens()
        if refused
        else Tokens(input=number, cached=1, output=2 * number, reasoning=3),
        first_byte_ms=0 if refused else 10,
        total_ms=100,
        ending=Ending.REFUSED if refused else Ending.WHOLE,
    )
