"""Which log entries a reader wants."""

from typing import Any

import msgspec
import pytest

from codex_proapi.commons.usage.exchange_record import AttemptRecord, Ending, ExchangeRecord
from codex_proapi.commons.usage.log_stream import LogEntry, LogKind, LogLevel, encode_entry
from codex_proapi.console.live.log_filter import LogFilter, words

RECORD = ExchangeRecord(
    request_id="req_abc",
    at=1.0,
    endpoint="chat",
    ending=Ending.REFUSED,
    key_id="key_1",
    key_name="laptop",
    asked_model="gpt-5",
    sent_model="gpt-6-sol",
    answered_model="gpt-6-sol-2",
    attempts=(
        AttemptRecord(account="acc_1", verdict="NEXT_ACCOUNT", code="usage_limit_reached"),
        AttemptRecord(account="acc_2", verdict="GIVE_UP"),
    ),
)
ENTRY = LogEntry(
    at=1.0,
    level=LogLevel.WARNING,
    kind=LogKind.REQUEST,
    event="exchange.settled",
    account="acc_2",
    key_id="key_1",
    request_id="req_abc",
    model="gpt-6-sol",
    status=429,
    exchange=RECORD,
)


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"levels": frozenset({"warning", "error"})},
        {"kinds": frozenset({"request"})},
        {"account": "acc_2"},
        {"account": "acc_1"},
        {"key": "key_1"},
        {"key": "laptop"},
        {"model": "gpt-5"},
        {"model": "gpt-6-sol"},
        {"model": "gpt-6-sol-2"},
        {"status": "429"},
        {"status": "4xx"},
        {"request_id": "req_a"},
        {"text": "USAGE_limit"},
        {"text": "Laptop", "status": "4xx", "account": "acc_1"},
    ],
)
def test_an_entry_passes_what_holds_for_it(wanted: dict[str, Any]) -> None:
    assert LogFilter(**wanted).lets(ENTRY)


@pytest.mark.parametrize(
    "wanted",
    [
        {"levels": frozenset({"info"})},
        {"kinds": frozenset({"admin"})},
        {"account": "acc_3"},
        {"key": "key"},
        {"model": "gpt"},
        {"status": "200"},
        {"status": "5xx"},
        {"status": "42"},
        {"request_id": "abc"},
        {"text": "nowhere"},
        {"account": "acc_1", "status": "200"},
    ],
)
def test_an_entry_fails_on_the_first_that_does_not(wanted: dict[str, Any]) -> None:
    assert not LogFilter(**wanted).lets(ENTRY)


@pytest.mark.parametrize("odd", ['a "quoted" name', "back\\slash", "名称 Ä", "two\nlines", "</b>"])
@pytest.mark.parametrize("field", ["account", "key", "model", "text"])
def test_the_json_of_what_passes_is_never_left_out_undecoded(field: str, odd: str) -> None:
    entry = LogEntry(
        at=1.0, kind=LogKind.ADMIN, event="key.created", account=odd, key_id=odd, model=odd
    )
    value = entry_json(odd)[1:-1] if field == "text" else odd
    provided: dict[str, Any] = {field: value}
    wanted = LogFilter(**provided)

    assert wanted.lets(entry)
    assert wanted.may_let(encode_entry(entry))
    assert not wanted.may_let(encode_entry(ENTRY))


def entry_json(value: str) -> str:
    return msgspec.json.encode(value).decode()


def test_an_entry_without_an_exchange_is_no_trouble() -> None:
    entry = LogEntry(at=1.0, kind=LogKind.ADMIN, event="key.made", key_id="key_1")

    assert LogFilter(key="key_1").lets(entry)
    assert not LogFilter(model="gpt-5").lets(entry)
    assert not LogFilter(status="2xx").lets(entry)


def test_a_list_is_split_at_commas() -> None:
    assert words(" info, error,,info ") == {"info", "error"}
    assert words("") == frozenset()
    assert len(words(",".join(map(str, range(99))))) == 20


def test_requests_that_another_model_answered_can_be_asked_for() -> None:
    wanted = LogFilter(substituted=True)
    record = msgspec.structs.replace(RECORD, substituted=True)

    assert wanted.lets(msgspec.structs.replace(ENTRY, exchange=record))
    assert not wanted.lets(ENTRY)
    assert not wanted.lets(msgspec.structs.replace(ENTRY, exchange=None))
