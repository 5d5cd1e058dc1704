"""Exit codes, and errors as people and programs read them. Imports nothing heavy: `--help` needs it."""

import enum
import sys

import rich_click as click

NAME = "codex-proapi"


class ExitCode(enum.IntEnum):
    """How a command ended; docs/running.md has the same table."""

    DONE = 0
    """Done; of `doctor`, nothing fails."""
    FAILED = 1
    """It failed, or a look found something wrong. Standard error says why."""
    REFUSED = 2
    """Nothing was begun: a wrong command, wrong settings, or data this process does not fit. The
    services end with the same."""
    INTERRUPTED = 130
    """Interrupted (Ctrl-C)."""


def fail(*lines: str, code: ExitCode = ExitCode.FAILED) -> ExitCode:
    """Print an error to standard error; returns the exit code."""
    sys.stderr.write(f"{NAME}: " + "\n".join(lines) + "\n")
    return code


def show_wrong_command(wrong: click.ClickException) -> ExitCode:
    """Print what is wrong with a command: in a box on a terminal, elsewhere on one line."""
    if sys.stderr.isatty():
        wrong.show()
    else:
        fail(_sentence(wrong))
    return ExitCode(wrong.exit_code)


def _sentence(wrong: click.ClickException) -> str:
    told = " ".join(wrong.format_message().split())
    context = wrong.ctx if isinstance(wrong, click.UsageError) else None
    if context is None or not context.command.get_help_option(context):
        return told
    return f"{told.removesuffix('.')}. `{context.command_path} --help` tells more."
