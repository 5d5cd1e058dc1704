"""`codex-proapi`, also as `python -m codex_proapi.console.cli`."""

import os
import sys

from codex_proapi.console.cli.commands import run


def main() -> None:
    """Run the command line with this process' environment."""
    sys.exit(run(dict(os.environ)))


if __name__ == "__main__":
    main()
