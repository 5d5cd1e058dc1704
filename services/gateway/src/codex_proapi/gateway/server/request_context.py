"""Fields of all log lines of a request: its id, its client's address, the name of its key.

They are structlog context variables, set for the request's task and the tasks it starts.
"""

from typing import Final

import structlog

CLIENT: Final = "client"


def bind_request(request_id: str, client: str) -> None:
    """Begin a request's context; that of an earlier one on the same connection ends."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id, client=client)


def bind_key(name: str) -> None:
    """Add the name of the client's key."""
    structlog.contextvars.bind_contextvars(key_name=name)


def request_id() -> str:
    """The id of this request; empty outside of one."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def client() -> str:
    """The address of this request's client; empty outside of one."""
    return str(structlog.contextvars.get_contextvars().get(CLIENT, ""))
