"""The `demo` command: both services against the simulated backend, with temporary data."""

import pathlib
import socket
import tempfile
import time
from collections.abc import Mapping

import uvloop

from codex_proapi.commons.http.service import Output, process_output
from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.console.accounts.auth_json import read_auth_json
from codex_proapi.local.environment import PORT, Start
from codex_proapi.local.serving import end_by_sigterm, listen, serve_on
from codex_proapi.simulator import Simulator

PACE = 0.01
"""Seconds between the words of a simulated answer, so that streaming can be seen."""
PERCENT_PER_REQUEST = 0.5
"""How much of its quota an answer costs an invented account."""

MOST_PORT = 65_535

_KEPT = (
    *("HOST", "LOG_LEVEL", "ROUTING", "HISTORY_MODE", "UPSTREAM_TRANSPORT", "DRAIN_SECONDS"),
    *("API_KEY_POLICY", "ADMIN_PASSWORD", "NATIVE_CODE"),
)


def serve_demo(environ: Mapping[str, str]) -> None:
    """Run the demo until SIGINT or SIGTERM; its data is deleted."""
    host, port = environ.get("HOST") or "127.0.0.1", _port(environ)
    sockets = listen(host, port)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="codex-proapi-demo-") as folder,
            process_output(environ.get("LOG_LEVEL") or "info") as output,
        ):
            uvloop.run(_serve(sockets, environ, pathlib.Path(folder), output))
    finally:
        for each in sockets:
            each.close()


def _port(environ: Mapping[str, str]) -> int:
    text = environ.get("PORT") or PORT
    if not text.isdecimal() or int(text) > MOST_PORT:
        raise SettingsError([f"PORT: {text!r} is no port number."])
    return int(text)


async def _serve(
    sockets: list[socket.socket],
    environ: Mapping[str, str],
    folder: pathlib.Path,
    output: Output,
) -> None:
    end_by_sigterm()
    port = sockets[0].getsockname()[1]
    async with Simulator() as simulator:
        redirect = f"http://localhost:{port}/auth/callback"
        simulator.world.redirects |= {redirect}
        simulator.world.pace = PACE
        simulator.world.keep_bodies = False
        for account in simulator.accounts:
            account.percent_per_request = PERCENT_PER_REQUEST
        start = Start(demo_environ(environ, simulator, folder=folder, redirect=redirect))
        await import_accounts(simulator, start)
        await serve_on(sockets, start, output, demo=True)


def demo_environ(
    environ: Mapping[str, str], simulator: Simulator, *, folder: pathlib.Path, redirect: str
) -> dict[str, str]:
    """The caller's environment without settings that would reach a real backend or store.

    Args:
        environ: The caller's environment.
        simulator: The simulated backend.
        folder: The temporary data directory.
        redirect: Redirect URI of logins.
    """
    kept = {name: value for name, value in environ.items() if name in _KEPT}
    return {
        **kept,
        **simulator.environ,
        "DATA_DIR": str(folder),
        "OAUTH_REDIRECT_URI": redirect,
    }


async def import_accounts(simulator: Simulator, start: Start) -> None:
    """Add the simulator's accounts by importing their auth.json."""
    async with start.opened() as store:
        for account in simulator.accounts:
            read = read_auth_json(simulator.auth_json(account), now=time.time(), name=account.name)
            await store.accounts.add(read.account)
