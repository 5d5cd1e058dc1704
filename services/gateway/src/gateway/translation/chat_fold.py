"""A chat answer in one piece: upstream's bytes in, one completion out."""

from collections.abc import Mapping
from typing import NoReturn

from gateway.dialects.sse import KEEP_ALIVE
from gateway.errors import GatewayError
from gateway.translation.wire import Report


class ChatFold:
    """One answer on its way to a chat client that asked for no stream; same options as `ChatWire`."""

    keep_alive = KEEP_ALIVE

    def __init__(
        self,
        *,
        completion_id: str,
        created: int,
        model: str,
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
        """Take upstream's bytes; gives b""."""
        raise NotImplementedError

    def finish(self) -> bytes:
        """The completion as JSON; call it when `done`, or when upstream has closed."""
        raise NotImplementedError

    def fail(self, error: GatewayError) -> NoReturn:
        """There is no stream to write into."""
        raise error
