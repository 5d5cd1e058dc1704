"""The start of a service's process: its settings, its log, its event loop."""

import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import uvloop

from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.commons.runtime.logging import configure as configure_logs
from codex_proapi.commons.runtime.settings import CommonSettings, from_environ

S = TypeVar("S", bound=CommonSettings)

CANNOT_START = 2
"""Exit code of a process whose environment is wrong, or that does not fit what is stored."""


def run_service(
    name: str,
    settings: type[S],
    serve: Callable[[S], Coroutine[Any, Any, None]],
    *,
    environ: Mapping[str, str],
) -> None:
    """Run a service until a signal; exit with CANNOT_START and every fault if it cannot start.

    Args:
        name: the service, as in `The gateway cannot start`.
        settings: its class of settings, read from the environment.
        serve: serves until a signal.
        environ: the environment.
    """
    try:
        found = from_environ(settings, environ)
        configure_logs(found.log_level)
        uvloop.run(serve(found))
    except SettingsError as error:
        sys.stderr.write(f"The {name} cannot start:\n{error}\n")
        sys.exit(CANNOT_START)
