"""The start of a service's process: its settings, its output, its event loop."""

import contextlib
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import uvloop

from codex_proapi.commons.http.listening import CannotListen
from codex_proapi.commons.native import NATIVE
from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.commons.runtime.line_writer import LineWriter, write_message
from codex_proapi.commons.runtime.logging import configure as configure_logs
from codex_proapi.commons.runtime.setting_names import with_plain_names
from codex_proapi.commons.runtime.settings import CommonSettings, from_environ
from codex_proapi.commons.runtime.settings_file import with_settings_file

S = TypeVar("S", bound=CommonSettings)

FAILED = 1
"""Exit code of a process that could not listen: another one may, or later."""
CANNOT_START = 2
"""Exit code of a process whose environment is wrong, or that does not fit what is stored."""


class Output(NamedTuple):
    """What a process writes, by threads: a reader that stops blocks no event loop."""

    log: LineWriter
    """stdout: the log."""
    messages: LineWriter
    """stderr: lines for the person who starts the process."""

    def announce(self, line: str) -> None:
        """Write a line to the person who starts the process."""
        write_message(self.messages, line)


@contextlib.contextmanager
def process_output(log_level: str) -> Iterator[Output]:
    """The output of this process, with logging set up; what waits is written at the end."""
    with LineWriter(sys.stdout) as log, LineWriter(sys.stderr) as messages:
        configure_logs(log_level, stream=log)
        yield Output(log, messages)


def run_service(
    name: str,
    settings: type[S],
    serve: Callable[[S, Output], Coroutine[Any, Any, None]],
    *,
    environ: Mapping[str, str],
) -> None:
    """Run a service until a signal; exit with CANNOT_START and every fault if it cannot start.

    Args:
        name: the service, as in `The gateway cannot start`.
        settings: its class of settings, read from the environment.
        serve: serves until a signal; is given the settings and the output.
        environ: the environment.
    """
    try:
        plain, warnings = with_plain_names(environ)
        found = from_environ(settings, with_settings_file(plain))
        for warning in warnings:
            sys.stderr.write(f"{warning}\n")
        NATIVE.switch(on=found.native_code == "on")
        with process_output(found.log_level) as output:
            uvloop.run(serve(found, output))
    except SettingsError as error:
        sys.stderr.write(f"The {name} cannot start:\n{error}\n")
        sys.exit(CANNOT_START)
    except CannotListen as error:
        sys.stderr.write(f"The {name} cannot start:\n{error}\n")
        sys.exit(FAILED)
