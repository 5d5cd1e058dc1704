"""A Responses answer in one piece: upstream's bytes in, one response object out."""

from collections.abc import Mapping
from typing import Any, NoReturn

from gateway.dialects.sse import KEEP_ALIVE
from gateway.errors import GatewayError
from gateway.translation.wire import Report


class ResponseFold:
    """One answer on its way to a Responses client that asked for no stream."""

    keep_alive = KEEP_ALIVE

    def __init__(
        self,
        *,
        response_id: str,
        created: int,
        model: str,
        keep_items: bool = False,
        compact: bool = False,
        tool_names: Mapping[str, str] | None = None,
        echo: Mapping[str, Any] | None = None,
    ) -> None:
        """Take the same as `ResponseWire`; `compact` gives a `response.compaction` instead."""
        self.report = Report()
        self.done = False

    def feed(self, data: bytes) -> bytes:
        """Take upstream's bytes; gives b""."""
        raise NotImplementedError

    def finish(self) -> bytes:
        """The response as JSON; call it when `done`, or when upstream has closed."""
        raise NotImplementedError

    def fail(self, error: GatewayError) -> NoReturn:
        """There is no stream to write into."""
        raise error
