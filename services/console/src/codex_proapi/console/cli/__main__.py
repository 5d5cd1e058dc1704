"""`codex-proapi`, also as `python -m codex_proapi.console.cli`."""

import io
import os
import pathlib
import sys
import traceback

from codex_proapi.console.cli.commands import run
from codex_proapi.console.cli.terminal.failures import ExitCode, Failures

LAST_STANDARD = 2
"""The descriptor of standard error."""


def main() -> None:
    """Run the command line with this process' environment."""
    _reopen_closed()
    for stream in (
        sys.stdout,
        sys.stderr,
    ):  # names go out also where the terminal knows ASCII alone
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    environ, failures = dict(os.environ), Failures(sys.argv[1:])
    try:
        code = run(environ)
        sys.stdout.flush()
    except BrokenPipeError:
        code = ExitCode.FAILED
        _forget_output()
    except OSError as error:  # a full disk behind `>`
        code = failures.fail(f"{error.filename or 'standard output'}: {error.strerror or error}")
        _forget_output()
    except KeyboardInterrupt:  # where nothing of ours could say it any more
        code = ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - a fault of ours; its text may have anything in it
        code = failures.fail(f"an error that was not foreseen: {_where(error)}. Please report it.")
    sys.exit(code)


def _where(error: BaseException) -> str:
    """What it was and where: no text of it, which may have a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "codex_proapi" in frame.filename] or frames
    at = f" ({pathlib.PurePath(ours[-1].filename).name}:{ours[-1].lineno})" if ours else ""
    return f"{type(error).__name__}{at}"


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
