"""A chat answer on the wire: upstream's bytes in, chat chunks' bytes out."""

from collections.abc import Mapping

from gateway.dialects.openai_errors import chat_error_event
from gateway.dialects.sse import KEEP_ALIVE
from gateway.errors import GatewayError
from gateway.translation.wire import Report


class ChatWire:
    """One streamed answer on its way to a chat client."""

    keep_alive = KEEP_ALIVE

    def __init__(
        self,
        *,
        completion_id: str,
        created: int,
        model: str,
        include_usage: bool = False,
        tool_names: Mapping[str, str] | None = None,
        custom_tools: frozenset[str] = frozenset(),
        custom_as_function: bool = False,
        legacy_functions: bool = False,
        refusal_as_refusal: bool = False,
        stop: tuple[str, ...] = (),
    ) -> None:
        self.report = Report()
        self.done = False

    def feed(self, data: bytes) -> bytes:
        """Take upstream's bytes; give the client's."""
        raise NotImplementedError

    def finish(self) -> bytes:
        """Upstream has closed: raises `Truncated` if the answer is not whole."""
        raise NotImplementedError

    def fail(self, error: GatewayError) -> bytes:
        """End with an error event and no `[DONE]`."""
        return chat_error_event(error)
