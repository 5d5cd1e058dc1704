"""Settings of a start on one machine: the environment completed with defaults, then validated.

Both services read the same mapping. No I/O except for generated keys (`secret_files`).
"""

import contextlib
import pathlib
from collections.abc import AsyncIterator, Mapping

from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.commons.runtime.settings import from_environ
from codex_proapi.commons.usage.calendar import machine_zone
from codex_proapi.console.cli.opened_store import OpenedStore, key_faults, names_redis
from codex_proapi.console.settings import ConsoleSettings, is_loopback
from codex_proapi.gateway.settings import GatewaySettings
from codex_proapi.local.embedded_redis import EmbeddedRedis
from codex_proapi.local.secret_files import encryption_keys

PORT = "1455"
DRAIN_SECONDS = "10"
"""Patience of a stop: on one machine a person waits for it."""
_DEFAULT_FOLDER = "~/.codex-proapi"


class Start:
    """The settings of both services, and the embedded server if there is one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.data_dir = data_folder(environ)
        self.redis = None if names_redis(environ) else EmbeddedRedis(self.data_dir)
        self.time_zone = machine_zone(environ)
        """IANA name of this machine's zone."""
        faults = key_faults(environ)
        if faults:
            raise SettingsError(faults)
        completed = _completed(environ, self.data_dir, self.redis)
        try:
            self.gateway = from_environ(GatewaySettings, completed)
        except SettingsError as error:
            faults += error.faults
        try:
            self.console = from_environ(ConsoleSettings, completed)
        except SettingsError as error:
            faults += [fault for fault in error.faults if fault not in faults]
        if faults:
            raise SettingsError(faults)

    def __repr__(self) -> str:
        return f"<Start in {self.data_dir}>"

    @property
    def redis_url(self) -> str:
        """The Redis URL in use."""
        return self.gateway.redis_url

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[OpenedStore]:
        """The stores of this start, with the embedded server running if there is one."""
        async with self.redis or contextlib.nullcontext(), OpenedStore(self.console) as store:
            yield store


@contextlib.asynccontextmanager
async def embedded_store(environ: Mapping[str, str]) -> AsyncIterator[Mapping[str, str]]:
    """Run the embedded store, or use the one that runs; yields the completed environment.

    The command line finds this by its entry point. Only DATA_DIR and the encryption keys are read,
    so that no other setting can fail a command.
    """
    folder = data_folder(environ)
    completed = dict(environ) | _store_settings(environ, folder)
    async with EmbeddedRedis(folder) as redis:
        yield {**completed, "REDIS_URL": redis.url}


def setting_faults(environ: Mapping[str, str]) -> list[str]:
    """What is wrong with the gateway's settings; `doctor` finds this by its entry point.

    Args:
        environ: The environment, with some encryption keys: none are generated to look at settings.
    """
    try:
        from_environ(GatewaySettings, {name: value for name, value in environ.items() if value})
    except SettingsError as wrong:
        return [*wrong.faults]
    return []


def data_folder(environ: Mapping[str, str]) -> pathlib.Path:
    """The folder of the embedded store and of generated secrets."""
    path = pathlib.Path(environ.get("DATA_DIR") or _DEFAULT_FOLDER)
    try:
        return path.expanduser()
    except RuntimeError:
        told = f"DATA_DIR: there is no home folder for {path}; name a folder in full."
        raise SettingsError([told]) from None


def _completed(
    environ: Mapping[str, str], folder: pathlib.Path, redis: EmbeddedRedis | None
) -> dict[str, str]:
    """The environment with defaults for what it does not set."""
    provided = {name: value for name, value in environ.items() if value}
    completed = {"PORT": PORT, "DRAIN_SECONDS": DRAIN_SECONDS, **provided}
    completed["DATA_DIR"] = str(folder)
    if redis is not None:
        completed["REDIS_URL"] = redis.url
        completed |= _store_settings(environ, folder)
    if "API_KEY_POLICY" not in provided and is_loopback(provided.get("HOST", "127.0.0.1")):
        completed["API_KEY_POLICY"] = "open"
    return completed


def _store_settings(environ: Mapping[str, str], folder: pathlib.Path) -> dict[str, str]:
    """The embedded store's encryption keys, generated at first use; empty where set."""
    if environ.get("ENCRYPTION_KEYS") or environ.get("ENCRYPTION_KEYS_FILE"):
        return {}
    return {"ENCRYPTION_KEYS": encryption_keys(folder)}
