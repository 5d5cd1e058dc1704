import re

import pytest

from codex_proapi.console.cli.terminal.tables import counted, show_table


def test_a_table_is_tab_separated_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("A", "B"), [("1", "[red]x[/red]"), ("2", "")])

    assert capsys.readouterr().out == "A\tB\n1\t[red]x[/red]\n2\t\n"


def test_a_table_is_a_table_for_people(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")

    show_table(("A", "B"), [("1", "[red]x[/red]")])

    assert "[red]x[/red]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("screen", "told"),
    [
        (30, ["ID LAST USED CALLED", "acc_1234 2026-11-30 名字名字"]),
        (29, ["ID: acc_1234", "LAST USED: 2026-11-30", "CALLED: 名字名字", "", "ID: b"]),
    ],
)
def test_a_table_that_does_not_fit_becomes_paragraphs_and_nothing_is_cut(
    screen: int,
    told: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(screen))

    show_table(
        ("ID", "LAST USED", "CALLED"), [("acc_1234", "2026-11-30", "名字名字"), ("b", "", "")]
    )

    plain = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert [" ".join(line.split()) for line in plain.splitlines()][: len(told)] == told


@pytest.mark.parametrize("name", ["👩\u200d💻 dev", "王\u3000小明", "a\u00a0b", "می\u200cخواهم"])
def test_a_name_of_another_script_is_shown_as_it_is(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_table(("NAME",), [(name,)])

    assert capsys.readouterr().out == f"NAME\n{name}\n"


def test_a_name_neither_moves_the_cursor_nor_splits_a_row(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_table(("ID", "NAME"), [("acc_1", "a\x1b[31mb\nc\td\u202ee\x00")])

    told = capsys.readouterr().out
    assert told == "ID\tNAME\nacc_1\ta\ufffd[31mb\ufffdc\ufffdd\ufffde\ufffd\n"


@pytest.mark.parametrize(
    ("count", "one", "said"),
    [
        (1, "API key", "1 API key"),
        (2, "API key", "2 API keys"),
        (0, "log entry", "0 log entries"),
        (1, "log entry", "1 log entry"),
        (1, "day of usage", "1 day of usage"),
        (3, "day of usage", "3 days of usage"),
    ],
)
def test_one_is_singular(count: int, one: str, said: str) -> None:
    assert counted(count, one) == said
