"""`codex-proapi`, also as `python -m codex_proapi.console.cli`.

Imports little: what takes long is imported where an interruption is an exit code, not a traceback.
"""

import importlib
import io
import os
import sys

from codex_proapi.console.cli.terminal.ending import Ending

LAST_STANDARD = 2
"""The descriptor of standard error."""
INTERRUPTED = 130
"""`ExitCode.INTERRUPTED`, which is not imported yet when it is needed."""


def main() -> None:
    """Run the command line with this process' environment."""
    ending = Ending()
    try:
        code = _run()
    except KeyboardInterrupt:  # where nothing of ours could say it any more
        code = INTERRUPTED
    sys.exit(ending.code if code == INTERRUPTED else code)


def _run() -> int:
    """The exit code of the command."""
    _reopen_closed()
    for stream in (
        sys.stdout,
        sys.stderr,
    ):  # names go out also where the terminal knows ASCII alone
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    commands = importlib.import_module("codex_proapi.console.cli.commands")
    failures = importlib.import_module("codex_proapi.console.cli.terminal.failures")
    failing = failures.Failures(sys.argv[1:])
    try:
        code: int = commands.run(dict(os.environ))
        sys.stdout.flush()
    except BrokenPipeError:
        code = failures.ExitCode.FAILED
        _forget_output()
    except OSError as error:  # a full disk behind `>`
        code = failing.fail(f"{error.filename or 'standard output'}: {error.strerror or error}")
        _forget_output()
    except Exception as error:  # noqa: BLE001 - a fault of ours; its text may have anything in it
        where = failures.where_of(error)
        code = failing.fail(f"an error that was not foreseen: {where}. Please report it.")
    return code


def _reopen_closed() -> None:
    """Let a standard stream that was closed (`>&-`) lead nowhere: no file of ours gets its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= LAST_STANDARD:
        pass
    os.close(descriptor)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _forget_output() -> None:
    """What waits for standard output has nowhere to go; the interpreter would try at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
