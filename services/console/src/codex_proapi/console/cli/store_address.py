"""How a store is named in messages, and why it is not reached. Imports nothing heavy, so that `--help` does not either."""

import errno
import os
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

FROM_FILE = "codex_proapi.settings_from_file"
"""Where click's context has the names of settings that come from a file of settings."""


def reason_of(error: BaseException) -> str:
    """What the system said of a connection that failed, `: Connection refused`; empty if it did not."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, TimeoutError):
            # asyncio has a text of its own for what the system calls "Connection refused".
            known = cause.errno in errno.errorcode and not isinstance(cause, socket.gaierror)
            return f": {os.strerror(cause.errno or 0) if known else cause.strerror}"
        cause = cause.__cause__ or cause.__context__
    return ""


def address_of(environ: Mapping[str, str]) -> str:
    """The address of the store that an environment names, without user and password."""
    url = urlsplit(environ.get("REDIS_URL") or "")
    return url.netloc.rpartition("@")[2] or url.path or "the embedded one, or REDIS_URL_FILE"
