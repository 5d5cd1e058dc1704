"""`python -m codex_proapi.console.what_if.replay`: a question on standard input, its answer on standard output.

A process of its own, so that the one that asks goes on serving and can end it. It limits its own
CPU time and memory, and lets others go first.
"""

import contextlib
import os
import sys

import msgspec

from codex_proapi.console.what_if.replay.question import Question, answer

CPU_SECONDS = 60
MEMORY_BYTES = 1 << 30


def main() -> int:
    """Answer one question."""
    _limit()
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    sys.stdout.buffer.write(msgspec.json.encode(answer(question)))
    return 0


def _limit() -> None:
    with contextlib.suppress(ImportError, AttributeError, ValueError, OSError):
        import resource  # noqa: PLC0415 - not on every system

        os.nice(10)
        for kind, most in (
            (resource.RLIMIT_CPU, CPU_SECONDS),
            (resource.RLIMIT_AS, MEMORY_BYTES),
        ):
            _, hard = resource.getrlimit(kind)
            resource.setrlimit(kind, (most if hard < 0 else min(most, hard), hard))


if __name__ == "__main__":
    sys.exit(main())
