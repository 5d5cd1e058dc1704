"""Translates calls into `tool_use` blocks, each complete or left out.

Clients run a call as soon as its block ends, so a block ends only when upstream reports the call as
complete. Deltas of arguments are forwarded only if no argument may have to be removed; otherwise
they are written at once, and a call that is cut before is left out.
"""

import re
from typing import Final

import msgspec

from codex_proapi.gateway.errors import Malformed
from codex_proapi.gateway.formats.anthropic.events import input_delta, tool_use_block
from codex_proapi.gateway.formats.codex.items import CustomCallItem, FunctionCallItem
from codex_proapi.gateway.translation.messages.answer.blocks import Block, BlockQueue
from codex_proapi.gateway.translation.messages.answer.options import MessagesOptions
from codex_proapi.gateway.translation.messages.answer.tool_arguments import (
    ArgumentRules,
    arguments_of,
)

CallItem = FunctionCallItem | CustomCallItem
MAX_EARLY: Final = 1024
"""Most deltas kept for calls without an `added` event."""
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9_-]", re.ASCII)
"""Characters that the id of a call must not contain."""


class Call(msgspec.Struct, kw_only=True, eq=False):
    """The state of one call."""

    block: Block
    rules: ArgumentRules
    item_id: str | None
    output_index: int | None
    pieces: list[str] = []
    """The arguments so far."""
    passes: bool
    """Whether deltas are forwarded."""
    sound: bool = False
    """Whether upstream sent the whole arguments and they are a JSON object."""
    whole: bool = False
    """Whether the call is complete."""
    cut: bool = False
    """Whether it ended incomplete."""


class ToolCalls:
    """The calls of one answer, in order of appearance."""

    def __init__(self, queue: BlockQueue, options: MessagesOptions, *, fallback_id: str) -> None:
        """Create the state of an answer; ids of calls without one are derived from `fallback_id`."""
        self._queue = queue
        self._options = options
        self._fallback_id = fallback_id
        self._calls: list[Call] = []
        self._ids: set[str] = set()
        self._early: list[tuple[str | None, int | None, str]] = []

    def __repr__(self) -> str:
        return f"<ToolCalls {len(self._calls)}>"

    @property
    def any_whole(self) -> bool:
        """Whether a call is complete."""
        return any(call.whole for call in self._calls)

    @property
    def any_half(self) -> bool:
        """Whether a call was begun for the client and ended incomplete."""
        return any(call.cut and call.block.begun for call in self._calls)

    def written_into(self, block: Block | None) -> Call | None:
        """Return the call whose deltas are forwarded into this block, if any."""
        if block is None:
            return None
        return next((c for c in self._calls if c.block is block and c.passes and c.pieces), None)

    def add(self, item: CallItem, output_index: int | None) -> None:
        """Begin a call."""
        if self._find(item.id, output_index) is None:
            self._begin(item, output_index)

    def piece(self, delta: str, item_id: str | None, output_index: int | None) -> None:
        """Add a delta of a call's arguments."""
        call = self._find(item_id, output_index) or self._latest(output_index)
        if call is None:
            if len(self._early) < MAX_EARLY:
                self._early.append((item_id, output_index, delta))
        elif delta and not call.whole and not call.cut and not call.sound:
            self._add(call, delta)

    def arguments(self, text: str, item_id: str | None, output_index: int | None) -> None:
        """Set a call's whole arguments."""
        call = self._find(item_id, output_index) or self._latest(output_index)
        if call is None or call.whole or call.cut or call.sound:
            return
        if not call.pieces:
            self._add(call, text)
        call.sound = arguments_of(text) is not None
        if not call.passes:
            call.pieces = [text]

    def done(self, item: CallItem, output_index: int | None) -> None:
        """Complete a call; also one without an `added` event."""
        call = self._find(item.id, output_index) or self._begin(item, output_index)
        if call.whole or call.cut:
            return
        if item.status == "incomplete":
            self._cut(call)
            return
        text = item.arguments if isinstance(item, FunctionCallItem) else _as_object(item.input)
        if text and (not call.passes or not call.pieces):
            call.pieces = []
            self._add(call, text)
        self._finish(call)

    def close(self, *, complete: bool) -> None:
        """End the answer: open calls are complete if it is, else cut."""
        for call in self._calls:
            if not call.whole and not call.cut:
                if complete or call.sound:
                    self._finish(call)
                else:
                    self._cut(call)

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

    def _latest(self, output_index: int | None) -> Call | None:
        """The last call, for events without a known id or index."""
        call = self._calls[-1] if self._calls else None
        if call is None or call.whole or call.cut:
            return None
        if output_index is not None and call.output_index is not None:
            return None
        return call

    def _begin(self, item: CallItem, output_index: int | None) -> Call:
        options = self._options
        name = options.tool_names.get(item.name, item.name)
        rules = ArgumentRules(
            name, options.tool_shapes.get(item.name), claude_code=options.claude_code
        )
        passes = rules.may_pass and isinstance(item, FunctionCallItem)
        opening = tool_use_block(self._call_id(item), name)
        call = Call(
            block=self._queue.open(opening, ready=passes),
            rules=rules,
            item_id=item.id,
            output_index=output_index,
            passes=passes,
        )
        self._calls.append(call)
        for item_id, index, delta in self._early:
            if (item_id is not None and item_id == item.id) or (
                index is not None and index == output_index
            ):
                self._add(call, delta)
        return call

    def _call_id(self, item: CallItem) -> str:
        """Return an id, unique in the answer, of characters that clients accept."""
        wanted = item.call_id or item.id or f"call_{self._fallback_id}_{len(self._calls)}"
        call_id = wanted = _FOREIGN.sub("_", wanted)
        suffix = 2
        while call_id in self._ids:
            call_id = f"{wanted}_{suffix}"
            suffix += 1
        self._ids.add(call_id)
        return call_id

    def _add(self, call: Call, text: str) -> None:
        call.pieces.append(text)
        if call.passes:
            call.block.waiting.append(input_delta(text))

    def _finish(self, call: Call) -> None:
        """End the block of a complete call."""
        text = "".join(call.pieces)
        if call.passes and call.pieces:
            if arguments_of(text) is None:
                raise Malformed("The backend's call has arguments that are no JSON object.")
        else:
            call.block.waiting.append(input_delta(call.rules.cleaned(text or "{}")))
        call.whole = call.block.ready = call.block.ended = True

    def _cut(self, call: Call) -> None:
        """End an incomplete call: drop its block, unless it has begun for the client."""
        call.cut = True
        if not call.block.begun:
            self._queue.discard(call.block)


def _as_object(text: str | None) -> str:
    """Return a custom tool's input as the arguments of a function with one argument."""
    return msgspec.json.encode({"input": text or ""}).decode()
