"""A Responses answer in one piece: upstream's bytes in, one response object out.

It folds the very stream `ResponseWire` would have sent, so both always say the same.
"""

from typing import NoReturn

from gateway.dialects.lenient_json import write
from gateway.dialects.sse import KEEP_ALIVE
from gateway.errors import GatewayError
from gateway.translation.response_options import ResponseOptions
from gateway.translation.response_wire import ResponseWire


class ResponseFold:
    """One answer on its way to a Responses client that asked for no stream."""

    keep_alive = KEEP_ALIVE

    def __init__(
        self,
        options: ResponseOptions,
        *,
        response_id: str,
        created: int,
        compact: bool = False,
    ) -> None:
        """Take the same as `ResponseWire`; `compact` gives a `response.compaction` instead."""
        self._wire = ResponseWire(options, response_id=response_id, created=created)
        self._compact = compact
        self.report = self._wire.report

    def __repr__(self) -> str:
        return f"<ResponseFold of {self._wire!r}>"

    @property
    def done(self) -> bool:
        """Whether the answer is whole: `finish` may be called."""
        return self._wire.done

    def feed(self, data: bytes) -> bytes:
        """Take upstream's bytes; gives b""."""
        self._wire.feed(data)
        return b""

    def finish(self) -> bytes:
        """The response as JSON, once `done` or when upstream has closed.

        Raises `Truncated` if the answer is not whole.
        """
        self._wire.finish()
        response = self._wire.response
        if not self._compact:
            return write(response)
        shown = {name: response.get(name) for name in ("id", "created_at", "output", "usage")}
        return write({**shown, "object": "response.compaction"})

    def fail(self, error: GatewayError) -> NoReturn:
        """There is no stream to write into: raises the error."""
        self._wire.fail(error)
        raise error
