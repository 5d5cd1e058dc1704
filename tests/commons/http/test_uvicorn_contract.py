"""What the connections and the server use of uvicorn beyond its documented interface.

uvicorn is pinned; after an upgrade this says in one place what has to be looked at.
"""

import inspect

import httptools
import pytest
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        (
            HttpToolsProtocol,
            (
                "client connections cycle expect_100_continue flow headers loop parser pipeline "
                "server_state transport"
            ),
        ),
        (
            RequestResponseCycle,
            (
                "body disconnected keep_alive message_event more_body on_response "
                "response_complete response_started"
            ),
        ),
        (FlowControl, "_transport write_paused"),
        (uvicorn.Server, "config force_exit server_state should_exit"),
    ],
)
def test_these_attributes_are_set_when_an_object_is_made(kind: type, members: str) -> None:
    source = inspect.getsource(kind.__init__)  # type: ignore[misc]

    assert [each for each in members.split() if f"self.{each}" not in source] == []


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        (HttpToolsProtocol._start_asgi_task, "self cycle app"),
        (HttpToolsProtocol.connection_made, "self transport"),
        (HttpToolsProtocol.connection_lost, "self exc"),
        (HttpToolsProtocol.data_received, "self data"),
        (HttpToolsProtocol.on_body, "self body"),
        (HttpToolsProtocol.on_header, "self name value"),
        (HttpToolsProtocol.on_headers_complete, "self"),
        (HttpToolsProtocol.on_message_begin, "self"),
        (HttpToolsProtocol.on_message_complete, "self"),
        (HttpToolsProtocol.on_response_complete, "self"),
        (HttpToolsProtocol.on_url, "self url"),
        (HttpToolsProtocol.shutdown, "self"),
        (FlowControl.resume_reading, "self"),
        (uvicorn.Server.handle_exit, "self sig frame"),
        (uvicorn.Server.on_tick, "self counter"),
        (uvicorn.Server.shutdown, "self sockets"),
        (uvicorn.Server.startup, "self sockets"),
    ],
)
def test_these_methods_take_these_arguments(method: object, parameters: str) -> None:
    assert list(inspect.signature(method).parameters) == parameters.split()  # type: ignore[arg-type]


def test_what_is_not_called_of_uvicorns_own_methods_is_as_it_was_when_they_were_replaced() -> None:
    ended = inspect.getsource(HttpToolsProtocol.on_response_complete)
    received = inspect.getsource(HttpToolsProtocol.data_received)

    # `on_response_complete` is replaced for its timer, `data_received` for its answers.
    calls = ["total_requests += 1", "is_closing()", "_unset_keepalive_if_required()"]
    calls += ["flow.resume_reading()", "pipeline.pop()", "_start_asgi_task(", "call_later("]
    assert [call for call in calls if call not in ended] == []
    assert ended.count("\n") == 21
    assert "parser.feed_data(data)" in received
    assert issubclass(httptools.HttpParserUpgrade, Exception)
    assert not issubclass(httptools.HttpParserUpgrade, httptools.HttpParserError)
