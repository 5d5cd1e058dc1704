"""`codex-proapi`, also as `python -m codex_proapi.local`."""

import os
import sys

from codex_proapi.local.commands import run


def main() -> None:
    """Run the command line with this process' environment."""
    sys.exit(run(dict(os.environ)))


if __name__ == "__main__":
    main()
