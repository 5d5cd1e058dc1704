"""The price table from the command line."""

from click.testing import CliRunner, Result

from codex_proapi.console.cli.reports.prices import prices


def run(environ: dict[str, str], line: str) -> Result:
    return CliRunner().invoke(prices, line.split(), obj=environ)


def test_a_price_is_set_listed_and_reset(environ: dict[str, str]) -> None:
    done = run(environ, "set my-model --in 1.5 --out 10 --cached 0.15 --source invoice")
    listed = run(environ, "list").stdout
    reset = run(environ, "reset my-model")

    assert done.stdout == "set the price of my-model\n"
    assert "my-model\t1.5\t0.15\t-\t10\tset here" in listed
    assert "gpt-6.2-sol\t2\t0.1\t2.5\t10\tshipped\t2026-11-30\thttps://" in listed
    assert reset.stdout == "reset the price of my-model\n"
    assert run(environ, "reset my-model").exit_code == 1


def test_what_cannot_be_a_price_is_refused(environ: dict[str, str]) -> None:
    lines = (
        "set x --in 1",
        "set x --in NaN --out 1",
        "set x --in -1 --out 1",
        "set / --in 1 --out 1",
    )
    assert [run(environ, line).exit_code for line in lines] == [2, 2, 2, 2]
    assert run(environ, "remove gpt-5.5").stdout == "gpt-5.5 has no price\n"
    assert "gpt-5.5\t-\t-\t-\t-\tset here" in run(environ, "list").stdout
