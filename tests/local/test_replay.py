import io
from typing import Any

import msgspec
from click.testing import CliRunner, Result
from support.exchanges import a_record

from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.balancing.candidates import Candidate, SelectionInput
from codex_proapi.commons.usage.exchange_record import AttemptRecord
from codex_proapi.console.cli.commands import run as cli_run
from codex_proapi.gateway.exchange.access_log import AccessLog
from codex_proapi.local.replay import replay

NOW = 1_795_000_000.0
POOL = (Candidate(id="acc_a"), Candidate(id="acc_b"))


def line(*attempts: tuple[str, SelectionInput | None]) -> str:
    """The log line of an exchange that asked these accounts, from these ballots."""
    out = io.StringIO()
    record = msgspec.structs.replace(
        a_record(4),
        attempts=tuple(AttemptRecord(account=account, verdict="x") for account, _ in attempts),
        selection_inputs=tuple(selection_input for _, selection_input in attempts),
    )
    AccessLog(out).settle(record)
    return out.getvalue()


def run(log: str, *options: str) -> Result:
    return CliRunner().invoke(replay, [*options, "-"], input=log)


def turn(cursor: int, **fields: Any) -> SelectionInput:
    return SelectionInput(now=NOW, cursor=cursor, candidates=POOL, **fields)


def test_choices_that_come_out_the_same_are_only_counted() -> None:
    log = line(("acc_a", turn(0))) + "no json\n" + line(("acc_b", turn(1)), ("acc_b", None))

    told = run(log)

    assert (told.stdout, told.exit_code) == ("2 choices made again, 0 differ\n", 0)


def test_a_choice_that_differs_is_shown_with_its_reason() -> None:
    told = run(line(("acc_b", turn(0))))

    assert told.stdout == ("req_4\tacc_b\tacc_a\tnext in turn\n1 choices made again, 1 differ\n")
    assert told.exit_code == 1


def test_every_choice_is_shown_if_one_asks_also_where_nobody_would_be_asked() -> None:
    cooldown = Cooldown(until=NOW + 900, reason=CooldownReason.QUOTA, since=NOW)
    nobody = SelectionInput(
        now=NOW, cursor=0, candidates=(Candidate(id="acc_a", cooldown=cooldown),)
    )

    told = run(line(("acc_a", turn(0)), ("acc_a", nobody)), "--all")

    assert "req_4\tacc_a\tacc_a\tnext in turn\n" in told.stdout
    assert "req_4\tacc_a\tspent\t\n" in told.stdout
    assert "2 choices made again, 1 differ" in told.stdout


def test_lines_that_a_collector_has_given_a_head_are_read_and_others_passed_over() -> None:
    log = "2026-11-26T00:00:00Z stdout F " + line(("acc_a", turn(0)))
    log += '{"event": "account.cooled"}\n{"event": 3}\n{broken\n'

    assert run(log).stdout == "1 choices made again, 0 differ\n"


def test_the_command_line_ends_with_1_where_a_choice_differs(tmp_path: Any) -> None:
    log = tmp_path / "gateway.log"
    log.write_text(line(("acc_b", turn(0))))

    assert cli_run({}, ["replay", str(log)]) == 1


def test_a_log_without_choices_says_what_makes_gateways_log_them() -> None:
    told = run('{"event": "exchange.settled", "attempts": ["acc_a committed"]}\n')

    assert (told.stdout, told.exit_code) == ("0 choices made again, 0 differ\n", 0)
    assert "LOG_SELECTIONS" in told.stderr
