"""What the server uses of uvicorn beyond its documented interface.

uvicorn is pinned; after an upgrade this says in one place what has to be looked at.
"""

import inspect

import httptools
import pytest
import uvicorn
from uvicorn.server import ServerState


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        (uvicorn.Server, "config force_exit server_state should_exit"),
        (ServerState, "total_requests connections tasks default_headers"),
    ],
)
def test_these_attributes_are_set_when_an_object_is_made(kind: type, members: str) -> None:
    source = inspect.getsource(kind.__init__)  # type: ignore[misc]

    assert [each for each in members.split() if f"self.{each}" not in source] == []


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        (uvicorn.Server.handle_exit, "self sig frame"),
        (uvicorn.Server.on_tick, "self counter"),
        (uvicorn.Server.shutdown, "self sockets"),
        (uvicorn.Server.startup, "self sockets"),
    ],
)
def test_these_methods_take_these_arguments(method: object, parameters: str) -> None:
    assert list(inspect.signature(method).parameters) == parameters.split()  # type: ignore[arg-type]


def test_connections_are_made_and_asked_to_leave_as_ours_expect() -> None:
    made = inspect.getsource(uvicorn.Server.startup)
    ended = inspect.getsource(uvicorn.Server.shutdown)

    for argument in ("config=config", "server_state=", "app_state=", "_loop=_loop"):
        assert argument in made
    assert "connection.shutdown()" in ended


def test_an_offered_upgrade_is_told_apart_from_what_is_no_http() -> None:
    assert issubclass(httptools.HttpParserUpgrade, Exception)
    assert not issubclass(httptools.HttpParserUpgrade, httptools.HttpParserError)
