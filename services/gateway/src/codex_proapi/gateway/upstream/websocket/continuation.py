"""Whether a request goes on exactly where the last answer of a socket ended, and with which items. Pure.

Nothing of a conversation is kept, only digests: one of the whole input, one or two for each item of the
answer. What came before must be equal byte for byte, as it is encoded here by the same encoder each time. An
item of the answer comes back from a client in that client's form; it is equal if it says the same. That is
judged without ids, states and empty lists, and a client may leave out what it was never shown: the
phase of a message, and a summary of reasoning whose encrypted content it returns. Reasoning that a client
does not return at all is a difference, as the backend would go on with it.
"""

import hashlib
from typing import Any, Final

import msgspec

from codex_proapi.gateway.formats.codex.requests import LITE_NAMESPACE
from codex_proapi.gateway.upstream.websocket.frames import CreateRequest

MOST_COMPARED_BYTES: Final = 4 * 1024 * 1024
"""Bytes of a request up to which it is compared: some five milliseconds."""
MOST_ITEMS: Final = 256
"""Items of an answer up to which it can be continued."""
ADDED: Final = b"response.output_item.added"
DONE: Final = b"response.output_item.done"
COMPLETED: Final = b"response.completed"
NOTED: Final = frozenset((ADDED, DONE, COMPLETED))
"""Types of the events that `AnswerMarks` reads."""
MARK_BYTES: Final = 16

_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_FAULTS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Done(msgspec.Struct):
    item: dict[str, Any]
    output_index: int


class _Response(msgspec.Struct):
    id: str
    status: str = "completed"


class _Completed(msgspec.Struct):
    response: _Response


_DONE: Final = msgspec.json.Decoder(_Done)
_COMPLETED: Final = msgspec.json.Decoder(_Completed)


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer: what a socket's next request may refer to."""

    response_id: str
    items: tuple[frozenset[bytes], ...]
    """Marks of each item of the output, any of which a client's item may have."""


class Continuation(msgspec.Struct, frozen=True, kw_only=True):
    """The last turn of a socket."""

    settings: bytes
    """Digest of the request's other fields."""
    size: int
    """Bytes of its input's items."""
    digest: bytes
    """Digest of them."""
    answered: Answered


_NOTHING: Final = CreateRequest(b"", {})


class Asked:
    """One request, while it is compared and answered.

    Args:
        create: the request.
        size: bytes of its body.
    """

    def __init__(self, create: CreateRequest, size: int) -> None:
        self._create = create
        self._size = size
        self.comparable = size <= MOST_COMPARED_BYTES
        """Whether it is short enough to be compared."""
        self._settings = b""
        self._input: tuple[int, bytes] = 0, b""

    def __repr__(self) -> str:
        return f"<Asked with {self._size} bytes>"

    def whole(self) -> bytes:
        """The frame with the whole input."""
        return self._create.whole()

    def note(self) -> None:
        """Take the digests, so that the request itself need not be kept."""
        if not self._settings and self.comparable:
            items = self._create.items
            self._settings = self._create.settings()
            self._input = len(items), hashlib.sha256(items).digest()

    def after(self, last: Continuation) -> bytes:
        """The frame with nothing but what follows the last turn; b"" if it does not continue it."""
        if not self._settings:
            self.note()
        if self._settings != last.settings or self._input[0] <= last.size:
            return b""
        items = self._create.items
        size, count = last.size, len(last.answered.items)
        if size and items[size : size + 1].tobytes() != b",":
            return b""
        if hashlib.sha256(items[:size]).digest() != last.digest:
            return b""
        try:
            following = _ITEMS.decode(b"[%b]" % items[size + 1 if size else 0 :].tobytes())
            same = all(
                marks & _marks_of(msgspec.json.decode(item))
                for marks, item in zip(last.answered.items, following, strict=False)
            )
        except _FAULTS:
            return b""
        if not same or len(following) <= count:
            return b""
        return self._create.continued(last.answered.response_id, following[count:])

    def forget(self) -> None:
        """Drop the request; its digests stay."""
        self._create = _NOTHING

    def continuation(self, answered: Answered | None) -> Continuation | None:
        """What the next request is compared with; None if there is nothing to go on from."""
        if answered is None or not self._settings:
            return None
        size, digest = self._input
        return Continuation(settings=self._settings, size=size, digest=digest, answered=answered)


class AnswerMarks:
    """Observes the frames of one answer."""

    def __init__(self) -> None:
        self._added = 0
        self._items: dict[int, frozenset[bytes]] = {}
        self._response_id = ""
        self._odd = False

    def __repr__(self) -> str:
        return f"<AnswerMarks of {len(self._items)} items>"

    def note(self, name: bytes, data: bytes) -> None:
        """Read a frame whose type is one of NOTED."""
        if name == ADDED:
            self._added += 1
            return
        try:
            if name == DONE:
                self._done(_DONE.decode(data))
            elif not self._response_id:
                response = _COMPLETED.decode(data).response
                self._response_id = response.id if response.status == "completed" else ""
        except _FAULTS:
            self._odd = True

    def _done(self, done: _Done) -> None:
        self._odd = self._odd or done.output_index in self._items or len(self._items) >= MOST_ITEMS
        if not self._odd:
            self._items[done.output_index] = _marks_of(done.item, also_shorter=True)

    def answered(self) -> Answered | None:
        """The whole answer; None if it cannot be continued, or not all of it was understood."""
        found = self._items
        if self._odd or not self._response_id or self._added > len(found):
            return None
        if sorted(found) != list(range(len(found))):
            return None
        return Answered(
            response_id=self._response_id, items=tuple(map(found.__getitem__, range(len(found))))
        )


def _marks_of(item: Any, *, also_shorter: bool = False) -> frozenset[bytes]:
    """The mark of an item; with `also_shorter` that of what a client may return of it, too."""
    if not isinstance(item, dict):
        return frozenset()
    form = _form(item)
    mark = _mark(form)
    if not also_shorter:
        return frozenset((mark,))
    kind = form["type"]
    if kind == "message":
        form.pop("phase", None)
    elif kind == "reasoning" and "encrypted_content" in form:
        form.pop("summary", None)
        form.pop("content", None)
    return frozenset((mark, _mark(form)))


def _mark(form: dict[str, Any]) -> bytes:
    encoded = msgspec.json.encode(form, order="sorted")
    return hashlib.sha256(encoded).digest()[:MARK_BYTES]


def _form(item: dict[str, Any]) -> dict[str, Any]:
    """An item without what does not change what it says."""
    form = {
        name: value
        for name, value in item.items()
        if name not in {"id", "status"} and value is not None and value != []
    }
    form.setdefault("type", "message")
    if form.get("namespace") == LITE_NAMESPACE:
        del form["namespace"]
    if isinstance(arguments := form.get("arguments"), str):
        form["arguments"] = _compact(arguments)
    if isinstance(content := form.get("content"), list):
        form["content"] = [_part(part) for part in content]
    return form


def _part(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    return {name: value for name, value in part.items() if value is not None and value != []}


def _compact(arguments: str) -> Any:
    """Arguments of a call, in which white space means nothing: some clients write it anew."""
    try:
        return msgspec.json.encode(msgspec.json.decode(arguments)).decode()
    except _FAULTS:
        return arguments
