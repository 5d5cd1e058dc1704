"""The calls of one answer as `tool_use` blocks, each complete or not at all.

Clients run a call as soon as its block ends, so a block ends only when upstream says that the
call is whole. Arguments are passed on in pieces only where nothing may have to be taken out of
them; others come in one piece, and a call that is cut before is not mentioned.
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
"""Deltas kept for calls that upstream has not announced."""
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9_-]", re.ASCII)
"""What the id of a call must not hold."""


class Call(msgspec.Struct, kw_only=True, eq=False):
    """One call: what is known of it."""

    block: Block
    rules: ArgumentRules
    item_id: str | None
    output_index: int | None
    pieces: list[str] = []
    """The arguments so far."""
    passes: bool
    """Whether pieces are passed on as they come."""
    sound: bool = False
    """Whether upstream gave the arguments in one piece that is an object."""
    whole: bool = False
    """Whether the call is complete."""
    cut: bool = False
    """Whether it never will be."""


class ToolCalls:
    """The calls of one answer, in order of appearance."""

    def __init__(self, queue: BlockQueue, options: MessagesOptions, *, fallback_id: str) -> None:
        """`fallback_id` makes ids for calls to which upstream gave none."""
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
        """Whether the client knows of a call that will never be complete."""
        return any(call.cut and call.block.begun for call in self._calls)

    def written_into(self, block: Block | None) -> Call | None:
        """Return the call whose pieces are being written into this block."""
        if block is None:
            return None
        return next((c for c in self._calls if c.block is block and c.passes and c.pieces), None)

    def add(self, item: CallItem, output_index: int | None) -> None:
        """A call begins."""
        if self._find(item.id, output_index) is None:
            self._begin(item, output_index)

    def piece(self, delta: str, item_id: str | None, output_index: int | None) -> None:
        """A piece of a call's arguments."""
        call = self._find(item_id, output_index) or self._latest(output_index)
        if call is None:
            if len(self._early) < MAX_EARLY:
                self._early.append((item_id, output_index, delta))
        elif delta and not call.whole and not call.cut and not call.sound:
            self._add(call, delta)

    def arguments(self, text: str, item_id: str | None, output_index: int | None) -> None:
        """All of a call's arguments."""
        call = self._find(item_id, output_index) or self._latest(output_index)
        if call is None or call.whole or call.cut or call.sound:
            return
        if not call.pieces:
            self._add(call, text)
        call.sound = arguments_of(text) is not None
        if not call.passes:
            call.pieces = [text]

    def done(self, item: CallItem, output_index: int | None) -> None:
        """A call, whole; also one that was never announced."""
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
        """The answer is over: what upstream did not end is whole only if the answer is."""
        for call in self._calls:
            if not call.whole and not call.cut:
                if complete or call.sound:
                    self._finish(call)
                else:
                    self._cut(call)

    def _find(self, item_id: str | None, output_index: int | None) -> Call | None:
        """A call by its item's id, else by its output index."""
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
        """The last call, for events that do not say which one they mean."""
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
        """Return an id of letters that clients accept, and that no other call of the answer has."""
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
        """The call is complete: end its block."""
        text = "".join(call.pieces)
        if call.passes and call.pieces:
            if arguments_of(text) is None:
                raise Malformed("The backend's call has arguments that are no JSON object.")
        else:
            call.block.waiting.append(input_delta(call.rules.cleaned(text or "{}")))
        call.whole = call.block.ready = call.block.ended = True

    def _cut(self, call: Call) -> None:
        """The call will never be complete: drop it, unless the client knows of it."""
        call.cut = True
        if not call.block.begun:
            self._queue.discard(call.block)


def _as_object(text: str | None) -> str:
    """Return a custom tool's input as the arguments of a function with one argument."""
    return msgspec.json.encode({"input": text or ""}).decode()
