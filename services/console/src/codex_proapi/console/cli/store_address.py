"""How a store is named in messages, why it is not reached, and what to do. Imports nothing heavy: `--help` needs it."""

import errno
import os
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

FROM_FILE = "codex_proapi.settings_from_file"
"""Where click's context has the names of settings that come from a file of settings."""

CURE = "Check that it runs and what REDIS_URL says."
CURES = {
    "MISCONF": "Its disk is full or cannot be written to: make room, and do not restart it before;"
    " what it could not write is in its memory only.",
    "OutOfMemory": "Its memory is full: raise maxmemory.",
    "Authentication": "REDIS_URL has no password, or another one than Redis asks for.",
    "Redis: DB": "It has no database of the number at the end of REDIS_URL.",
    "NOPERM": "Its user in REDIS_URL may not do that.",
    "TimeoutError": "It took no connection or gave no answer in time: is it busy, is REDIS_URL its port, and"
    " does it speak TLS (rediss://)?",
}
"""What to do, by a word of what Redis said."""


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


def fault_of(error: Exception, environ: Mapping[str, str]) -> str:
    """What Redis, or the way to it, said, and which Redis that is: without user and password."""
    return f"{error}{reason_of(error)} ({address_of(environ)})"


def cure_of(error: Exception) -> str:
    """What to do about it."""
    return next((told for word, told in CURES.items() if word in str(error)), CURE)
