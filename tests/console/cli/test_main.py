"""Output that cannot be written is an exit code and a sentence, never a traceback."""

import os
import pathlib
import subprocess
import sys

import pytest

COMMAND = (sys.executable, "-m", "codex_proapi.console.cli", "config", "show")


def test_a_reader_that_has_gone_is_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(COMMAND, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(write)

    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_a_sentence() -> None:
    with pathlib.Path("/dev/full").open("w") as full:
        done = subprocess.run(COMMAND, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr == "codex-proapi: standard output: No space left on device\n"


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_standard_streams_are_no_traceback(
    closed: tuple[int, ...], tmp_path: pathlib.Path
) -> None:
    """As `>&-` of a shell closes them, or a supervisor that opens none."""
    shut = "".join(f"os.close({each});" for each in closed)
    code = f"import os, sys; {shut} os.execv(sys.executable, sys.argv[1:])"
    told = tmp_path / "told"
    with told.open("w") as out:
        done = subprocess.run(
            [sys.executable, "-c", code, *COMMAND], stdout=out, stderr=out, check=False
        )

    assert done.returncode == 0
    assert "Traceback" not in told.read_text()
