"""The events of the answer that a socket is receiving: what has come of it, and what waits to be read."""

from collections.abc import Iterable
from typing import Final

from codex_proapi.gateway.upstream.websocket.continuation import NOTED, AnswerMarks
from codex_proapi.gateway.upstream.websocket.frames import as_event

LAST_EVENTS: Final = frozenset(
    (b"response.completed", b"response.incomplete", b"response.failed", b"response.done", b"error")
)
"""Types after which nothing more comes for a request."""
DELTAS: Final = {
    b'{"type":"%b"' % name: b"event: %b\ndata: " % name
    for name in (
        b"response.output_text.delta",
        b"response.reasoning_summary_text.delta",
        b"response.reasoning_text.delta",
        b"response.function_call_arguments.delta",
        b"response.custom_tool_call_input.delta",
    )
}
"""How frames begin that come often and change nothing here, with the first line of their block."""
OTHERS: Final = {
    b'{"type":"%b"' % name: (name, b"event: %b\ndata: " % name)
    for name in (
        b"response.created",
        b"response.in_progress",
        b"response.output_item.added",
        b"response.content_part.added",
        b"response.output_text.done",
        b"response.content_part.done",
        b"response.output_item.done",
        b"response.completed",
    )
}
"""How the other frames of nearly every answer begin, with their type and the first line of their block."""
_AFTER_TYPE: Final = len(b'{"type":"')
_KEEP_ALIVE: Final = b"keepalive"


class AnswerEvents:
    """The events of one answer after another, on one connection."""

    def __init__(self) -> None:
        self.begun = False
        """Whether an event of the answer has come: the backend works on the request."""
        self.spoken = False
        """Whether anything but keepalives has come for the request."""
        self.ended = True
        """Whether the answer's last event has come; also before the first request."""
        self.strayed = False
        """Whether something came that belongs to no request."""
        self.size = 0
        """Bytes of the messages that wait to be read."""
        self._pieces: list[bytes] = []
        self._marks: AnswerMarks | None = None

    def __repr__(self) -> str:
        return f"<AnswerEvents {'ended' if self.ended else 'under way'}, {self.size} bytes unread>"

    def begin(self, marks: AnswerMarks | None) -> None:
        """A request goes out; `marks` observes its answer."""
        self.begun = self.spoken = self.ended = False
        self._marks = marks

    def take(self, messages: Iterable[bytes]) -> None:
        """Take messages. Raises Malformed for one that is no event."""
        for data in messages:
            beginning = data[: data.find(b'"', _AFTER_TYPE) + 1]
            line = DELTAS.get(beginning)
            if (
                line is not None
                and self.begun
                and not self.ended
                and b"\n" not in data
                and b"\r" not in data
            ):
                self._pieces += line, data, b"\n\n"
                self.size += len(data)
            else:
                self._take_other(data, beginning)

    def _take_other(self, data: bytes, beginning: bytes) -> None:
        """Take a message that is no delta, or not of the answer."""
        block: tuple[bytes, ...]
        if (known := OTHERS.get(beginning)) and b"\n" not in data and b"\r" not in data:
            name, block = known[0], (known[1], data, b"\n\n")
        else:
            name, block = as_event(data)
        if self.ended:
            # Nothing is asked for. What is said of the account is of no use, and does no harm.
            self.strayed = self.strayed or name == b"error" or name.startswith(b"response.")
            return
        if self._marks is not None and name in NOTED:
            self._marks.note(name, data)
        self.spoken = self.spoken or name != _KEEP_ALIVE
        self.begun = self.begun or name.startswith(b"response.")
        self.ended = name in LAST_EVENTS
        self._pieces += block
        self.size += len(data)

    def read(self) -> bytes:
        """What has come since the last call; b"" for nothing."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return data

    def finish(self) -> None:
        """The request is over: what is left of it is dropped."""
        self._marks = None
        self._pieces.clear()
        self.size = 0
