import io
from typing import Any

import msgspec
import pytest
from support.exchanges import a_record

from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.balancing.candidates import (
    Candidate,
    Selection,
    SelectionInput,
    Window,
)
from codex_proapi.commons.balancing.select_account import Ranking
from codex_proapi.commons.usage.exchange_record import AttemptRecord
from codex_proapi.gateway.exchange.access_log import AccessLog, facts_of


class Terminal(io.StringIO):
    def isatty(self) -> Any:
        return True


def test_a_settled_exchange_is_one_line_of_json() -> None:
    out = io.StringIO()
    log = AccessLog(out)

    selection_input = SelectionInput(now=1.5, cursor=3, candidates=(Candidate(id="acc_0"),))

    log.settle(msgspec.structs.replace(a_record(4), selection_inputs=(selection_input, None)))

    assert out.getvalue().count("\n") == 1
    line = msgspec.json.decode(out.getvalue())
    assert (line["event"], line["level"]) == ("exchange.settled", "info")
    assert line["timestamp"].endswith("Z")
    assert (line["request_id"], line["account"], line["ending"]) == ("req_4", "acc_0", "whole")
    assert line["attempts"] == ["acc_0 committed: 0 usage_limit, 0 ms; next in turn"]
    assert line["ballots"] == [{"now": 1.5, "cursor": 3, "standings": [{"id": "acc_0"}]}, None]
    assert (line["input_tokens"], line["reasoning_tokens"]) == (4, 3)


def test_a_line_has_no_inputs_where_none_are_wanted() -> None:
    out = io.StringIO()

    AccessLog(out).settle(msgspec.structs.replace(a_record(4), selection_inputs=(None, None)))

    assert "ballots" not in msgspec.json.decode(out.getvalue())


def test_a_line_is_about_a_kilobyte_in_a_pool_of_any_size() -> None:
    cooldown = Cooldown(until=1_790_003_600.0, reason=CooldownReason.QUOTA)
    windows = (
        Window(minutes=300, used=37.4, resets_at=1_790_003_600.0),
        Window(minutes=10_080, used=12, resets_at=1_790_300_000.0),
    )
    pool = tuple(
        Candidate(id=f"acc_{n:012x}", windows=windows, cooldown=cooldown if n % 2 else None)
        for n in range(1000)
    )
    ranking = Ranking(SelectionInput(now=1_790_000_000.0, candidates=pool))
    found = ranking.select(cursor=7, affine=None)
    assert isinstance(found, Selection)
    attempt = AttemptRecord(
        account=found.account_id, verdict="committed", status=200, why=found.why
    )
    out = io.StringIO()

    AccessLog(out).settle(msgspec.structs.replace(a_record(4), attempts=(attempt,)))

    assert "more passed over" in out.getvalue()
    assert len(out.getvalue()) <= 1024


def test_an_attempts_line_says_why_there_was_no_connection_and_what_upstream_said() -> None:
    unreachable = AttemptRecord(
        account="acc_0",
        verdict="give_up",
        code="upstream_unreachable",
        cause="tls: certificate has expired",
    )
    refused = AttemptRecord(
        account="acc_1", verdict="next_account", status=429, code="new", message="Slow down."
    )
    record = msgspec.structs.replace(a_record(1), attempts=(unreachable, refused))

    assert facts_of(record)["attempts"] == [
        "acc_0 give_up: 0 upstream_unreachable (tls: certificate has expired), 0 ms; ",
        'acc_1 next_account: 429 new "Slow down.", 0 ms; ',
    ]


def test_what_clients_and_upstream_write_cannot_bring_a_secret_into_it() -> None:
    record = msgspec.structs.replace(a_record(1), asked_model="sk-abcdefghijkl")

    assert facts_of(record)["asked_model"] == "[redacted]"


def test_on_a_terminal_it_reads_like_the_other_lines(capsys: pytest.CaptureFixture[str]) -> None:
    out = Terminal()

    AccessLog(out).settle(a_record(4))

    assert out.getvalue() == ""
    assert "exchange.settled" in capsys.readouterr().out


def test_a_line_is_out_before_anything_else_is_done() -> None:
    raw = io.BytesIO()
    log = AccessLog(io.TextIOWrapper(raw))

    log.settle(a_record(4))

    assert raw.getvalue().endswith(b"}\n")
