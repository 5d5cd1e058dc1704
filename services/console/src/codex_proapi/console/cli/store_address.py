"""How a store is named in messages. Imports nothing, so that `--help` does not either."""

from collections.abc import Mapping
from urllib.parse import urlsplit


def address_of(environ: Mapping[str, str]) -> str:
    """The address of the store that an environment names, without user and password."""
    url = urlsplit(environ.get("REDIS_URL") or "")
    return url.netloc.rpartition("@")[2] or url.path or "the embedded one, or REDIS_URL_FILE"
