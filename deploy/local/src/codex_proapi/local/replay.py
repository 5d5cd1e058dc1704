"""`codex-proapi replay`: repeats account selections from the log lines that record them."""

from collections.abc import Iterator
from typing import IO

import rich_click as click

MOST_LINE = 16 << 20
"""Bytes of a line of a log; the rest of a longer one is a line of its own, which is none of an exchange."""


@click.command()
@click.argument("log", type=click.File("rb"), default="-")
@click.option("--all", "every", is_flag=True, help="Show every choice, not only those that differ.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def replay(context: click.Context, log: IO[bytes], *, every: bool, as_json: bool) -> None:
    """Make the choices of a gateway's log again (LOG, or standard input), and compare.

    A choice is made from its ballot, which the log line of its exchange keeps. Those that differ
    were made by another version of the rules. Ends with 1 if there are any.
    """
    from codex_proapi.console.cli.terminal.json_output import print_json  # noqa: PLC0415
    from codex_proapi.local.replayed_log import replayed  # noqa: PLC0415 - `--help` needs none of it

    seen = differing = 0
    rows = []
    for each in replayed(_lines(log)):
        seen += 1
        differs = each.asked != each.again
        differing += differs
        if differs or every:
            rows.append(each)
            if not as_json:
                print(f"{each.request_id}\t{each.asked}\t{each.again}\t{each.why}")
    if as_json:
        print_json({"choices": seen, "differ": differing, "rows": rows})
    else:
        print(f"{seen} choices made again, {differing} differ")
    if not seen:
        click.echo("No line holds a choice: gateways log them with LOG_SELECTIONS.", err=True)
    if differing:
        context.exit(1)


def _lines(log: IO[bytes]) -> Iterator[bytes]:
    """The lines of a log, however long; ClickException where it cannot be read."""
    try:
        yield from iter(lambda: log.readline(MOST_LINE), b"")
    except OSError as error:
        raise click.ClickException(f"{log.name}: cannot be read: {error.strerror}") from None
