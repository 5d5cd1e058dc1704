"""A Responses answer on the wire: upstream's events passed on, made whole where clients need it."""

from collections.abc import Mapping
from typing import Any

from gateway.dialects.sse import KEEP_ALIVE
from gateway.errors import GatewayError
from gateway.translation.wire import Report


class ResponseWire:
    """One streamed answer on its way to a Responses client."""

    keep_alive = KEEP_ALIVE

    def __init__(
        self,
        *,
        response_id: str,
        created: int,
        model: str,
        verbatim: bool = False,
        keep_items: bool = False,
        tool_names: Mapping[str, str] | None = None,
        echo: Mapping[str, Any] | None = None,
    ) -> None:
        """Take the id, time and model to show where upstream gives none; `model` empty: upstream's.

        `verbatim` is for Codex itself. `echo` overrides fields of the response object with what
        the client sent (metadata, store, previous_response_id, …).
        """
        self.report = Report()
        self.done = False

    def feed(self, data: bytes) -> bytes:
        """Take upstream's bytes; give the client's."""
        raise NotImplementedError

    def finish(self) -> bytes:
        """Upstream has closed: raises `Truncated` if the answer is not whole."""
        raise NotImplementedError

    def fail(self, error: GatewayError) -> bytes:
        """End with `response.failed`, then `error`."""
        raise NotImplementedError
