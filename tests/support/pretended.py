"""The date that `make test-dates` pretends, handed on to processes with an environment of their own."""

import os


def pretended_time() -> dict[str, str]:
    """The variables that keep a process at the tests' own time; none where that is the real one."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith("FAKETIME") or name in {"LD_PRELOAD", "NO_FAKE_STAT"}
    }
