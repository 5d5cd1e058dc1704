"""Commands in processes of their own, forked from one that has imported what they are made of.

Importing it takes longer than most commands. Arguments, environment, streams and exit code are as of a
process that a shell starts; only what an interpreter reads at its start, it has read before.
"""

import multiprocessing
import os
import pathlib
import runpy
import sys
import tempfile
from collections.abc import Mapping, Sequence

from codex_proapi.console.cli.commands import OWN

MODULE = "codex_proapi.console.cli"
AT_START = ("PYTHON", "LC_", "LANG")
"""Beginnings of variables that an interpreter reads at its start."""
_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload([f"{MODULE}.{module}" for _, module, *_ in OWN])


def can_be_forked(environ: Mapping[str, str]) -> bool:
    """Whether a command of this environment need not be a process from its start."""
    return not any(name.startswith(AT_START) for name in environ)


def run_forked(
    arguments: Sequence[str], environ: Mapping[str, str], provided: str = ""
) -> tuple[int, str]:
    """The exit code and standard error of a command whose standard input is `provided`."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for stream, content in (("0", provided), ("1", ""), ("2", "")):
            (folder / stream).write_text(content)
        process = _FORKING.Process(target=_command, args=(arguments, dict(environ), folder))
        process.start()
        process.join()
        code = process.exitcode
        process.close()
        assert code is not None
        return code, (folder / "2").read_text(encoding="utf-8")


def _command(arguments: Sequence[str], environ: dict[str, str], folder: pathlib.Path) -> None:
    for descriptor in range(3):
        file = os.open(folder / str(descriptor), os.O_RDWR)
        os.dup2(file, descriptor)
        os.close(file)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv[1:] = arguments
    runpy.run_module(MODULE, run_name="__main__", alter_sys=True)
