"""Aggregates upstream's bytes into one response object, for a client without a stream.

It aggregates the events that `ResponsesTranslator` would send, so both have the same content.
"""

from typing import NoReturn

from codex_proapi.commons.runtime.lenient_json import write
from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.formats.sse import KEEP_ALIVE
from codex_proapi.gateway.translation.responses.options import ResponseOptions
from codex_proapi.gateway.translation.responses.translator import ResponsesTranslator


class ResponsesAggregator:
    """Aggregates one answer for a Responses client."""

    keep_alive = KEEP_ALIVE

    def __init__(self, options: ResponseOptions, *, response_id: str, created: int) -> None:
        """Arguments as for `ResponsesTranslator`; with `options.compact` a `response.compaction`."""
        self._translator = ResponsesTranslator(options, response_id=response_id, created=created)
        self._compact = options.compact
        self.report = self._translator.report

    def __repr__(self) -> str:
        return f"<ResponsesAggregator of {self._translator!r}>"

    @property
    def done(self) -> bool:
        """Whether the answer is complete and `finish` may be called."""
        return self._translator.done

    def feed(self, data: bytes) -> bytes:
        """Add upstream's bytes; returns b""."""
        self._translator.feed(data)
        return b""

    def finish(self) -> bytes:
        """Return the response as JSON, once `done` or when upstream has closed.

        Raises `Truncated` if the answer is incomplete.
        """
        self._translator.finish()
        response = self._translator.response
        if not self._compact:
            return write(response)
        rendered = {name: response.get(name) for name in ("id", "created_at", "output", "usage")}
        return write({**rendered, "object": "response.compaction"})

    def fail(self, error: GatewayError) -> NoReturn:
        """Raise the error: an aggregator has no stream to write it into."""
        self._translator.fail(error)
        raise error
