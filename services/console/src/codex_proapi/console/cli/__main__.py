"""`codex-proapi`, also as `python -m codex_proapi.console.cli`."""

import os
import sys

from codex_proapi.console.cli.commands import run

LAST_STANDARD = 2
"""The descriptor of standard error."""


def main() -> None:
    """Run the command line with this process' environment."""
    _reopen_closed()
    try:
        code = run(dict(os.environ))
        sys.stdout.flush()
    except BrokenPipeError:
        code = 1
        _forget_output()
    except OSError as error:  # a full disk behind `>`
        sys.stderr.write(f"codex-proapi: {error.filename or 'standard output'}: {error.strerror}\n")
        code = 1
        _forget_output()
    sys.exit(code)


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
