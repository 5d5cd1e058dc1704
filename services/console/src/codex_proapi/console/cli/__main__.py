"""`codex-proapi`, also as `python -m codex_proapi.console.cli`."""

import os
import sys

from codex_proapi.console.cli.commands import run


def main() -> None:
    """Run the command line with this process' environment."""
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


def _forget_output() -> None:
    """What waits for standard output has nowhere to go; the interpreter would try at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
