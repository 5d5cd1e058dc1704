"""Signals that end a command: its exit code, and what it began."""

import signal
import subprocess
import sys

import pytest

CODE = """
import asyncio, signal, sys
from codex_proapi.console.cli.terminal.ending import Ending
signal.signal(signal.SIGINT, {before})
ending = Ending()

async def work():
    try:
        print("began", flush=True)
        await asyncio.sleep(600)
    finally:
        print("cleared up", flush=True)

try:
    asyncio.run(work())
except KeyboardInterrupt:
    sys.exit(ending.code)
"""


@pytest.mark.parametrize("before", ["signal.default_int_handler", "signal.SIG_IGN"])
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_clears_up_and_says_which_signal_ended_it(
    sent: signal.Signals, before: str
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CODE.format(before=before)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "began\n"
    child.send_signal(sent)
    told, _ = child.communicate()

    assert (child.returncode, told) == (128 + sent, "cleared up\n")


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """As under `nohup`."""
    code = (
        "import signal; from codex_proapi.console.cli.terminal.ending import Ending;"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN); Ending();"
        "signal.raise_signal(signal.SIGHUP); print('goes on')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "goes on\n"
