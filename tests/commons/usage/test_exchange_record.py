"""A record is small: what has its default is left out."""

import msgspec

from codex_proapi.commons.usage.exchange_record import AttemptRecord, Ending, ExchangeRecord

RECORD = ExchangeRecord(
    request_id="req_1",
    at=1.5,
    endpoint="chat",
    attempts=(AttemptRecord(account="acc_1", verdict="committed"),),
    ending=Ending.ABANDONED,
    status=499,
)


def test_a_record_is_written_without_what_it_does_not_say() -> None:
    assert msgspec.json.decode(msgspec.json.encode(RECORD)) == {
        "request_id": "req_1",
        "at": 1.5,
        "endpoint": "chat",
        "attempts": [{"account": "acc_1", "verdict": "committed"}],
        "ending": "abandoned",
        "status": 499,
    }


def test_a_record_is_read_back_equal() -> None:
    assert msgspec.json.decode(msgspec.json.encode(RECORD), type=ExchangeRecord) == RECORD
