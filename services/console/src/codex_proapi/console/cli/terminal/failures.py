"""Exit codes, and errors as people and programs read them. Imports nothing heavy: `--help` needs it."""

import enum
import json
import pathlib
import sys
import traceback
from collections.abc import Sequence

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
    """Interrupted (Ctrl-C). Other signals likewise, as a shell counts: 143 for SIGTERM, 129 for SIGHUP."""


class Failures:
    """Prints the errors of one command to standard error, each once; returns its exit code.

    A sentence for people; with `--json` one object on one line, `{"error": {"message", "exit_code"}}`,
    and `faults` where there are several.

    Args:
        arguments: The command's.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._as_json = "--json" in arguments

    def __repr__(self) -> str:
        return f"<Failures {'as JSON' if self._as_json else 'in words'}>"

    def fail(
        self, message: str, *, faults: Sequence[str] = (), code: ExitCode = ExitCode.FAILED
    ) -> ExitCode:
        """Print an error, and the faults it consists of."""
        if self._as_json:
            error: dict[str, object] = {"message": message, "exit_code": int(code)}
            told = json.dumps({"error": error | ({"faults": [*faults]} if faults else {})})
            sys.stderr.write(f"{told}\n")
            return code
        lines = [f"{NAME}: {message}{':' if faults else ''}", *(f"  {fault}" for fault in faults)]
        sys.stderr.write("\n".join(lines) + "\n")
        return code

    def show_wrong_command(self, wrong: click.ClickException) -> ExitCode:
        """Print what is wrong with a command: in a box on a terminal, elsewhere on one line."""
        code = ExitCode(wrong.exit_code)
        if sys.stderr.isatty() and not self._as_json:
            wrong.show()
            return code
        return self.fail(_sentence(wrong), code=code)


def where_of(error: BaseException) -> str:
    """What an error was and where: no text of it, which may have a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "codex_proapi" in frame.filename] or frames
    at = f" ({pathlib.PurePath(ours[-1].filename).name}:{ours[-1].lineno})" if ours else ""
    return f"{type(error).__name__}{at}"


def _sentence(wrong: click.ClickException) -> str:
    told = " ".join(wrong.format_message().split())
    context = wrong.ctx if isinstance(wrong, click.UsageError) else None
    if context is None or not context.command.get_help_option(context):
        return told
    return f"{told.removesuffix('.')}. `{context.command_path} --help` tells more."
