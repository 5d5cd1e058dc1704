"""Fields of all log lines of a request: its id, its client's address, the name of its key."""

from typing import Final

from codex_proapi.commons.runtime.logging import TASK_FIELDS

REQUEST_ID: Final = "request_id"
CLIENT: Final = "client"
KEY_NAME: Final = "key_name"


def bind_request(request_id: str, client: str) -> None:
    """Begin a request's context; that of an earlier one on the same connection ends."""
    TASK_FIELDS.set({REQUEST_ID: request_id, CLIENT: client})


def bind_key(name: str) -> None:
    """Add the name of the client's key."""
    TASK_FIELDS.set({**TASK_FIELDS.get(), KEY_NAME: name})


def request_id() -> str:
    """The id of this request; empty outside of one."""
    return TASK_FIELDS.get().get(REQUEST_ID, "")


def client() -> str:
    """The address of this request's client; empty outside of one."""
    return TASK_FIELDS.get().get(CLIENT, "")
