"""Upstream's events in, a Messages answer out as a strict client reads it."""

import json
from typing import Any

from support import upstream_says as says
from support.playbook import given
from support.strict_messages import StrictReader

from codex_proapi.gateway.formats.anthropic.events import encode
from codex_proapi.gateway.formats.codex.events import decode_event
from codex_proapi.gateway.translation.messages.answer.events_from_upstream import (
    MessagesStream,
)
from codex_proapi.gateway.translation.messages.answer.options import MessagesOptions
from codex_proapi.gateway.translation.messages.answer.signature import sealed
from codex_proapi.gateway.translation.messages.answer.tool_arguments import shape_of
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

WRITE = {"properties": {"path": {}, "content": {}}, "required": ["path", "content"]}
BASH = {
    "properties": {"command": {"type": "string"}, "timeout": {"type": "number"}},
    "required": ["command"],
}
SHAPES = {"Write": shape_of(WRITE), "Bash": shape_of(BASH)}
SIGNATURE = sealed("acc_1", ["gAAAA"])


def stream(**options: Any) -> MessagesStream:
    return MessagesStream(
        MessagesOptions(**{"thinking": True, "tool_shapes": SHAPES, **options}),
        report=ResponseReport(account="acc_1"),
        message_id="msg_1",
        model="claude-x",
    )


def fed(made: MessagesStream, *bodies: says.Body) -> list[Any]:
    return [
        event
        for body in bodies
        for event in given(made, decode_event(None, json.dumps(body).encode()))
    ]


def read(*bodies: says.Body, **options: Any) -> StrictReader:
    return StrictReader().read(b"".join(map(encode, fed(stream(**options), *bodies))))


def content(*bodies: says.Body, **options: Any) -> list[dict[str, Any]]:
    reader = read(*bodies, **options)
    assert reader.stopped
    return reader.content


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def thinking(words: str, signature: str = SIGNATURE) -> dict[str, Any]:
    return {"type": "thinking", "thinking": words, "signature": signature}


def used(name: str, id_: str = "call_1", **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": name, "input": arguments}


def stop(*bodies: says.Body, **options: Any) -> tuple[str, str | None]:
    message = read(*bodies, **options).message
    assert message is not None
    return message["stop_reason"], message["stop_sequence"]


BASH_CALL = says.call("Bash", '{"command":"ls"}')
