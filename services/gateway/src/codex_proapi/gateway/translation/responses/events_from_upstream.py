"""The state machine of one Responses answer: translates upstream's events into public events.

Every change of state is in TRANSITIONS; nothing else assigns `state`. Events are JSON objects, of
which unknown fields pass unchanged. Sequence numbers are assigned by `translator`.
"""

import enum
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from codex_proapi.gateway.errors import EmptyAnswer, Truncated
from codex_proapi.gateway.formats.openai.responses import (
    PUBLIC_EVENTS,
    complete_response,
    whole_usage,
)
from codex_proapi.gateway.translation.responses.items import NULL, ResponseItems, is_empty
from codex_proapi.gateway.translation.responses.missing_events import (
    BY_DELTA,
    BY_DONE,
    Body,
    before_delta,
    before_done,
    before_item_done,
    beginning_of,
    finished_item,
    item_added,
    part_added,
)
from codex_proapi.gateway.translation.responses.options import ResponseOptions

LITE_NAMESPACE: Final = "functions"
"""Namespace of plain tools in our requests of the lite shape; removed from answers."""


class ResponseState(enum.StrEnum):
    """The state of an answer."""

    WAITING = "waiting"
    OPEN = "open"
    FINISHED = "finished"
    FAILED = "failed"


class Move(enum.StrEnum):
    """What changes the state of an answer."""

    SPEAKS = "speaks"
    ENDS = "ends"
    FAILS = "fails"


TRANSITIONS: Final[dict[ResponseState, dict[Move, ResponseState]]] = {
    ResponseState.WAITING: {
        Move.SPEAKS: ResponseState.OPEN,
        Move.FAILS: ResponseState.FAILED,
    },
    ResponseState.OPEN: {
        Move.SPEAKS: ResponseState.OPEN,
        Move.ENDS: ResponseState.FINISHED,
        Move.FAILS: ResponseState.FAILED,
    },
    ResponseState.FINISHED: {},
    ResponseState.FAILED: {},
}
"""`response.created` always comes first; it is made here if upstream left it out."""


class ResponseStream:
    """Translates the events of one answer for a Responses client."""

    def __init__(self, options: ResponseOptions, *, response_id: str, created: int) -> None:
        """Create the state of an answer.

        Args:
            options: How the client wants its answer.
            response_id: Id of the response if upstream sends none.
            created: Its time in seconds since the epoch, if upstream sends none.
        """
        self.state = ResponseState.WAITING
        self.items = ResponseItems(rename=options.tool_names, strip_namespace=LITE_NAMESPACE)
        self.items.response_id = response_id
        self.output: list[Body] = []
        """The finished answer's items."""
        self.response: Body = {}
        """The finished response object."""
        self._options = options
        self._first: list[Body] = []
        """The first event, while it was not sent."""
        self._known: Body = {"id": response_id, "created_at": created, "model": options.model}

    def __repr__(self) -> str:
        return f"<ResponseStream {self.state.value}>"

    def feed(self, body: Body) -> list[Body]:
        """Return the public events for one of upstream's, whose dict may be changed.

        Fields of its response object may be undecoded (`Raw`), but for those in `LOOKED_AT`.

        Raises `EmptyAnswer` for a complete answer without text or a call.
        """
        kind = str(body["type"])
        if kind not in PUBLIC_EVENTS or Move.SPEAKS not in TRANSITIONS[self.state]:
            return []
        response = body.get("response")
        if isinstance(response, dict):
            self._learn(response)
        if self.state is ResponseState.WAITING:
            self._begin()
        bodies: list[Body] = []
        if kind != "response.created":
            rule = self._rules.get(kind)
            bodies = self._about_item(body) if rule is None else rule(self, body)
        if self._first:
            bodies, self._first = self._first + bodies, []
        return bodies

    def finish(self) -> None:
        """Note that upstream has closed. Raises `Truncated` if the answer is incomplete."""
        if Move.FAILS in TRANSITIONS[self.state]:
            raise Truncated("The backend's stream ended before the answer did.")

    def fail(self, response: object = None) -> tuple[list[Body], Body]:
        """End the answer with a failure.

        Args:
            response: Upstream's response object, if it sent one.

        Returns:
            The events that must come first, and the response object of the failure.
        """
        self._learn(response if isinstance(response, dict) else {})
        if self.state is ResponseState.WAITING:
            self._begin()
        opening, self._first = self._first, []
        self._go(Move.FAILS)
        known = {**self._known, "output": self.items.output([])}
        return opening, self._response_object(known, status="failed")

    def _go(self, move: Move) -> None:
        self.state = TRANSITIONS[self.state].get(move, self.state)

    def _begin(self) -> None:
        """Create the first event, whichever event upstream began with."""
        self._go(Move.SPEAKS)
        response = self._response_object({**self._known, "output": []}, status="in_progress")
        self._first = [{"type": "response.created", "response": response}]

    def _learn(self, response: Body) -> None:
        """Remember the fields of upstream's response object, for events with fewer fields."""
        known = self._known
        id_ = known["id"]
        for name, value in response.items():
            if value is not None and value != NULL:
                known[name] = value
        if self.state is not ResponseState.WAITING:
            known["id"] = id_  # it must not change for the client
        self.items.response_id = str(known["id"])

    def _response_object(self, known: Body, *, status: str) -> Body:
        whole = complete_response({}, known=known, status=status)
        whole |= self._options.echo
        whole["id"] = self._known["id"]
        whole["model"] = self._options.model or whole["model"]
        return whole

    def _under_way(self, body: Body) -> list[Body]:
        response = body.get("response")
        status = response.get("status") if isinstance(response, dict) else None
        status = "in_progress" if status is None else status
        body["response"] = self._response_object(self._known, status=status)
        return [body]

    def _item_added(self, body: Body) -> list[Body]:
        item = body.get("item")
        if not isinstance(item, dict):
            return []
        item_state, fresh = self.items.begin(item, body.get("output_index"))
        if not fresh:
            return []
        rendered = self.items.rendered(item, item_state, status="in_progress")
        item_state.begun = {**beginning_of(item_state.type), **rendered}
        body |= {"item": item_state.begun, "output_index": item_state.index}
        return [body]

    def _item_done(self, body: Body) -> list[Body]:
        item = body.get("item")
        if not isinstance(item, dict):
            return []
        item_state, fresh = self.items.begin(item, body.get("output_index"))
        if item_state.whole is not None:
            return []
        whole = self.items.rendered(item, item_state)
        before = [item_added(whole, item_state)] if fresh else []
        before += before_item_done(whole, item_state)
        item_state.whole = body["item"] = whole
        body["output_index"] = item_state.index
        return [*before, body]

    def _part_added(self, body: Body) -> list[Body]:
        return part_added(body, self.items)

    def _about_item(self, body: Body) -> list[Body]:
        """Translate a delta, the end of a part, or another event about an item."""
        kind = body["type"]
        if kind in BY_DELTA:
            before = before_delta(BY_DELTA[kind], body, self.items)
        elif kind in BY_DONE:
            before = before_done(BY_DONE[kind], body, self.items)
        else:
            before = []
            if (item_state := self.items.find(body)) is not None:
                body |= {"item_id": item_state.id, "output_index": item_state.index}
        return [] if before is None else [*before, body]

    def _ended(self, body: Body) -> list[Body]:
        complete = body["type"] == "response.completed"
        response = body.get("response")
        provided = response if isinstance(response, dict) else {}
        before = self._missing_items(provided.get("output"))
        before += self._missing_ends() if complete else []
        self.output = self.items.output(provided.get("output"))
        if complete and is_empty(self.output) and not self.items.anything_delivered:
            self._go(Move.FAILS)
            raise EmptyAnswer("The backend's answer was empty: neither text nor a call.")
        status = "completed" if complete else "incomplete"
        rendered = self._response_object(self._known, status=status)
        usage = whole_usage(rendered.get("usage"))
        rendered |= {"status": status, "output": self.output, "usage": usage}
        self.response = body["response"] = rendered
        self._go(Move.ENDS)
        return [*before, body]

    def _missing_ends(self) -> list[Body]:
        """The ends of items whose parts have all ended; SDK helpers throw for an item without end."""
        bodies: list[Body] = []
        for item_state in self.items.unfinished:
            if (item := finished_item(item_state)) is not None:
                done = {"type": "response.output_item.done", "item": item}
                bodies += self._item_done(done | {"output_index": item_state.index})
        return bodies

    def _missing_items(self, output: object) -> list[Body]:
        """The events of items that only the finished response has."""
        bodies: list[Body] = []
        for i, item in enumerate(output if isinstance(output, list) else ()):
            if self.items.has_ended(item):
                continue
            done = {"type": "response.output_item.done", "output_index": i, "item": item}
            bodies += self._item_done(done)
        return bodies

    _rules: ClassVar[Mapping[str, Callable[[Any, Body], list[Body]]]] = {
        "response.queued": _under_way,
        "response.in_progress": _under_way,
        "response.output_item.added": _item_added,
        "response.output_item.done": _item_done,
        "response.content_part.added": _part_added,
        "response.reasoning_summary_part.added": _part_added,
        "response.completed": _ended,
        "response.incomplete": _ended,
    }
    """Not bound: an answer that holds its own methods is freed by the garbage collector only."""
