"""Translates the calls of one answer into chat deltas: one after the other, never interleaved.

Chat clients put a call together from deltas with an index, and several of them take a change of
index for the end of the call before. Upstream may interleave parallel calls, so the deltas of a later
call are buffered until the earlier one has ended.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, read_any
from codex_proapi.gateway.formats.codex.items import CustomCallItem, FunctionCallItem
from codex_proapi.gateway.formats.openai.chat_chunks import CUSTOM, FUNCTION, LEGACY, CallDelta

CallItem = FunctionCallItem | CustomCallItem
MAX_EARLY: Final = 1024
"""Most deltas kept for calls without an `added` event."""


class Call(msgspec.Struct, kw_only=True):
    """The state of one call, and how much of it was written."""

    form: str
    id: str
    name: str
    item_id: str | None
    output_index: int | None
    nothing: str
    """Text to write if it has none."""
    index: int = -1
    """Its index among the calls sent to the client; -1 before."""
    waiting: list[str] = []
    """Text that is not written yet."""
    delivered: bool = False
    """Whether any of its text has come."""
    ended: bool = False
    """Whether no more of its text will come."""
    sound: bool = False
    """Whether upstream sent its whole text and that is valid JSON."""
    whole: bool = False
    """Whether upstream reported it as complete."""

    @property
    def begun(self) -> bool:
        """Whether the client knows of it."""
        return self.index >= 0


class ChatToolCalls:
    """The calls of one answer, in order of appearance."""

    def __init__(
        self,
        *,
        rename: Callable[[str], str],
        custom_tools: frozenset[str],
        legacy: bool,
        fallback_id: str,
    ) -> None:
        self._rename = rename
        self._custom_tools = custom_tools
        self._legacy = legacy
        self._fallback_id = fallback_id
        self._calls: list[Call] = []
        self._turn = 0
        self._begun = 0
        self._early: list[tuple[str | None, int | None, str]] = []

    def __repr__(self) -> str:
        return f"<ChatToolCalls {self._begun} of {len(self._calls)} begun>"

    @property
    def current(self) -> Call | None:
        """The call whose deltas can be forwarded at once, if any."""
        call = self._calls[self._turn] if self._turn < len(self._calls) else None
        return (
            call if call is not None and call.begun and call.delivered and not call.ended else None
        )

    @property
    def any_whole(self) -> bool:
        """Whether a complete call was sent to the client."""
        return any(call.begun and call.whole for call in self._calls)

    @property
    def any_half(self) -> bool:
        """Whether an incomplete call was sent to the client."""
        return any(call.begun and not call.whole for call in self._calls)

    def add(self, item: CallItem, output_index: int | None) -> list[CallDelta]:
        """Begin a call."""
        if self._find(item.id, output_index) is None:
            self._begin(item, output_index)
        return self._ready()

    def text(self, delta: str, item_id: str | None, output_index: int | None) -> list[CallDelta]:
        """Add a delta of a call's text."""
        call = self._find(item_id, output_index) or self._current(output_index)
        if call is None:
            if len(self._early) < MAX_EARLY:
                self._early.append((item_id, output_index, delta))
            return []
        if not call.ended and delta:
            call.delivered = True
            call.waiting.append(delta)
        return self._ready()

    def end(self, text: str, item_id: str | None, output_index: int | None) -> list[CallDelta]:
        """Add a call's whole text, unless its deltas were added."""
        call = self._find(item_id, output_index) or self._current(output_index)
        if call is None or call.ended:
            return []
        call.sound = _is_json(text)
        self._end(call, text)
        return self._ready()

    def done(self, item: CallItem, output_index: int | None) -> list[CallDelta]:
        """Complete a call; also one without an `added` event."""
        call = self._find(item.id, output_index) or self._begin(item, output_index)
        if call.whole:
            return []
        call.whole = item.status != "incomplete"
        call.sound = call.sound and call.whole
        if not call.ended:
            text = item.arguments if isinstance(item, FunctionCallItem) else item.input
            self._end(call, text or "")
        return self._ready()

    def close(self, *, complete: bool) -> list[CallDelta]:
        """End the answer: write what is buffered. Calls cut by a limit stay incomplete or are left out."""
        for call in self._calls:
            call.whole = call.whole or complete or call.sound
            if not call.ended and call.whole:
                self._end(call, "")
            call.ended = True
        self._calls = [call for call in self._calls if call.begun or call.whole]
        return self._ready()

    def _find(self, item_id: str | None, output_index: int | None) -> Call | None:
        """Find a call by its item's id, else by its output index."""
        if item_id is not None:
            for call in self._calls:
                if call.item_id == item_id:
                    return call
        if output_index is not None:
            for call in self._calls:
                if call.output_index == output_index:
                    return call
        return None

    def _current(self, output_index: int | None) -> Call | None:
        """The last call, for events without a known id or index."""
        call = self._calls[-1] if self._calls else None
        if call is None or call.ended:
            return None
        if output_index is not None and call.output_index is not None:
            return None
        return call

    def _begin(self, item: CallItem, output_index: int | None) -> Call:
        form = CUSTOM if item.name in self._custom_tools else FUNCTION
        is_function = isinstance(item, FunctionCallItem) and form == FUNCTION
        call = Call(
            form=LEGACY if self._legacy else form,
            id=item.call_id or item.id or f"call_{self._fallback_id}_{len(self._calls)}",
            name=self._rename(item.name),
            item_id=item.id,
            output_index=output_index,
            nothing="{}" if is_function else "",
        )
        for early in self._early:
            item_id, index, delta = early
            if (item_id is not None and item_id == item.id) or (
                index is not None and index == output_index
            ):
                call.waiting.append(delta)
        call.delivered = bool(call.waiting)
        self._calls.append(call)
        return call

    def _end(self, call: Call, text: str) -> None:
        """End a call's text; `text` is its whole text, used if no delta came."""
        if text and not call.begun:
            call.waiting = [text]
        elif not call.delivered:
            call.waiting = [text or call.nothing]
        call.delivered = call.ended = True

    def _ready(self) -> list[CallDelta]:
        """Return the deltas that can be written: up to the first call that has not ended."""
        deltas: list[CallDelta] = []
        while self._turn < len(self._calls):
            call = self._calls[self._turn]
            # `function_call` can hold a single call.
            if not self._legacy or self._turn == 0:
                deltas += self._deltas_of(call)
            if not call.ended:
                break
            self._turn += 1
        return deltas

    def _deltas_of(self, call: Call) -> list[CallDelta]:
        text = "".join(call.waiting)
        call.waiting.clear()
        if call.begun:
            return [CallDelta(index=call.index, form=call.form, text=text)] if text else []
        call.index = self._begun
        self._begun += 1
        named = CallDelta(
            index=call.index,
            form=call.form,
            text=text if call.ended else "",
            id=call.id,
            name=call.name,
        )
        if call.ended or not text:
            return [named]
        return [named, CallDelta(index=call.index, form=call.form, text=text)]


def _is_json(text: str) -> bool:
    try:
        read_any(text.encode(errors="replace"))
    except DECODE_ERRORS:
        return False
    return True
