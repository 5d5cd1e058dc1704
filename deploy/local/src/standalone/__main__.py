"""`codex-proapi`, also as `python -m standalone`."""

import os
import sys

from standalone.cli import run


def main() -> None:
    """Run the command line with this process' environment."""
    sys.exit(run(dict(os.environ)))


if __name__ == "__main__":
    main()
