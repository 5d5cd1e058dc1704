"""A strict reader of Messages streams: fails on whatever ends some client's reading."""

import json
from typing import Any

DELTAS = {
    "text": {"text_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "server_tool_use": {"input_json_delta"},
    "web_search_tool_result": set[str](),
}
"""Which deltas a block takes."""
FIELDS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("partial_json", "input"),
}


class StrictReader:
    """Puts a message together from its stream, asserting the stream's grammar."""

    def __init__(self) -> None:
        self.message: dict[str, Any] | None = None
        self.error: dict[str, Any] | None = None
        self.stopped = False
        self.pings = 0
        self._open: int | None = None
        self._inputs: dict[int, str] = {}
        self._signed: set[int] = set()

    def read(self, data: bytes) -> "StrictReader":
        """Take a whole stream."""
        assert data.endswith(b"\n\n") or not data
        for block in data.decode("utf-8").split("\n\n")[:-1]:
            name, payload = block.split("\n")
            event = json.loads(payload.removeprefix("data: "))
            assert name == f"event: {event['type']}"
            self._take(event)
        return self

    @property
    def content(self) -> list[dict[str, Any]]:
        """The blocks so far."""
        return self.message["content"] if self.message else []

    @property
    def complete(self) -> list[dict[str, Any]]:
        """The blocks that have ended."""
        return [b for i, b in enumerate(self.content) if i != self._open]

    def _take(self, event: dict[str, Any]) -> None:
        assert not self.stopped, "nothing follows message_stop"
        assert self.error is None, "nothing follows an error"
        kind = event["type"]
        if kind == "ping":
            self.pings += 1
            return
        if kind == "error":
            self.error = event["error"]
            return
        getattr(self, f"_{kind}")(event)

    def _message_start(self, event: dict[str, Any]) -> None:
        assert self.message is None, "one message_start"
        self.message = event["message"]
        assert self.message["id"]
        assert self.message["content"] == []
        assert all(isinstance(n, int) for n in self.message["usage"].values())

    def _content_block_start(self, event: dict[str, Any]) -> None:
        assert self.message is not None
        assert self.message["stop_reason"] is None, "no block after message_delta"
        assert self._open is None, "blocks do not overlap"
        assert event["index"] == len(self.content), "indexes rise by one"
        self._open = event["index"]
        self.content.append(event["content_block"])

    def _content_block_delta(self, event: dict[str, Any]) -> None:
        assert event["index"] == self._open, "a delta belongs to the open block"
        block, delta = self.content[event["index"]], event["delta"]
        assert delta["type"] in DELTAS[block["type"]]
        source, target = FIELDS[delta["type"]]
        if target == "input":
            self._inputs[event["index"]] = self._inputs.get(event["index"], "") + delta[source]
            return
        assert delta[source], "no delta is empty"
        assert event["index"] not in self._signed, "the signature comes last and once"
        if target == "signature":
            self._signed.add(event["index"])
        block[target] += delta[source]

    def _content_block_stop(self, event: dict[str, Any]) -> None:
        assert event["index"] == self._open, "the open block ends"
        block = self.content[event["index"]]
        if "input" in block:
            block["input"] = json.loads(self._inputs.get(event["index"], "") or "{}")
            assert isinstance(block["input"], dict), "a call's input is an object"
        self._open = None

    def _message_delta(self, event: dict[str, Any]) -> None:
        assert self._open is None, "every block has ended"
        assert self.message is not None
        self.message.update(event["delta"])
        self.message["usage"].update(event["usage"])
        assert self.message["stop_reason"]
        used = any(block["type"] == "tool_use" for block in self.content)
        assert used or self.message["stop_reason"] != "tool_use"

    def _message_stop(self, event: dict[str, Any]) -> None:
        assert self.message is not None
        assert self.message["stop_reason"]
        self.stopped = True
