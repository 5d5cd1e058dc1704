"""A Responses answer in one piece: upstream's bytes in, one response object out.

It folds the very stream `ResponsesTranslator` would have sent, so both always say the same.
"""

from typing import NoReturn

from codex_proapi.commons.runtime.lenient_json import write
from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.formats.sse import KEEP_ALIVE
from codex_proapi.gateway.translation.responses.options import ResponseOptions
from codex_proapi.gateway.translation.responses.translator import ResponsesTranslator


class ResponsesAggregator:
    """One answer on its way to a Responses client that asked for no stream."""

    keep_alive = KEEP_ALIVE

    def __init__(self, options: ResponseOptions, *, response_id: str, created: int) -> None:
        """Take the same as `ResponsesTranslator`; `compact` gives a `response.compaction`."""
        self._translator = ResponsesTranslator(options, response_id=response_id, created=created)
        self._compact = options.compact
        self.report = self._translator.report

    def __repr__(self) -> str:
        return f"<ResponsesAggregator of {self._translator!r}>"

    @property
    def done(self) -> bool:
        """Whether the answer is whole: `finish` may be called."""
        return self._translator.done

    def feed(self, data: bytes) -> bytes:
        """Take upstream's bytes; gives b""."""
        self._translator.feed(data)
        return b""

    def finish(self) -> bytes:
        """The response as JSON, once `done` or when upstream has closed.

        Raises `Truncated` if the answer is not whole.
        """
        self._translator.finish()
        response = self._translator.response
        if not self._compact:
            return write(response)
        rendered = {name: response.get(name) for name in ("id", "created_at", "output", "usage")}
        return write({**rendered, "object": "response.compaction"})

    def fail(self, error: GatewayError) -> NoReturn:
        """There is no stream to write into: raises the error."""
        self._translator.fail(error)
        raise error
