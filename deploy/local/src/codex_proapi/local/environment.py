"""The environment of a start on one machine: ours where it says nothing, checked as a whole.

Both services read the same mapping, so they agree. Pure but for the generated keys, which
`secret_files` keeps.
"""

import pathlib
from collections.abc import Mapping

from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.commons.runtime.settings import from_environ
from codex_proapi.console.settings import ConsoleSettings, is_loopback
from codex_proapi.gateway.settings import GatewaySettings
from codex_proapi.local.embedded_redis import EmbeddedRedis
from codex_proapi.local.secret_files import encryption_keys

PORT = "1455"
DRAIN_SECONDS = "10"
"""Patience of a stop: on one machine a person waits for it."""
_DEFAULT_FOLDER = "~/.codex-proapi"


class Start:
    """What one start runs with: the settings of both services, and the store's own server if any."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        folder = pathlib.Path(environ.get("DATA_DIR") or _DEFAULT_FOLDER).expanduser()
        self.data_dir = folder
        self.redis = None if environ.get("REDIS_URL") else EmbeddedRedis(folder)
        completed = _completed(environ, folder, self.redis)
        faults: list[str] = []
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
        """Where the store is."""
        return self.gateway.redis_url


def _completed(
    environ: Mapping[str, str], folder: pathlib.Path, redis: EmbeddedRedis | None
) -> dict[str, str]:
    """The environment with our defaults in its gaps."""
    provided = {name: value for name, value in environ.items() if value}
    completed = {"PORT": PORT, "DRAIN_SECONDS": DRAIN_SECONDS, **provided}
    completed["DATA_DIR"] = str(folder)
    if redis is not None:
        completed["REDIS_URL"] = redis.url
    if not {"ENCRYPTION_KEYS", "ENCRYPTION_KEYS_FILE"} & provided.keys():
        completed["ENCRYPTION_KEYS"] = encryption_keys(folder)
    if "API_KEY_POLICY" not in provided and is_loopback(provided.get("HOST", "127.0.0.1")):
        completed["API_KEY_POLICY"] = "open"
    return completed
