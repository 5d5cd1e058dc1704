"""Upstream's events in, chat chunks out: what the tests of a chat stream share."""

import json
from typing import Any

from support import upstream_says as says
from support.playbook import play

from codex_proapi.gateway.formats.codex.events import (
    UpstreamEvent,
    decode_event,
)
from codex_proapi.gateway.formats.openai.chat_chunks import CallDelta, ChatChunk
from codex_proapi.gateway.translation.chat.chunks_from_events import ChatStream
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

ROLE = ChatChunk(role="assistant", content="")


def events(*bodies: says.Body) -> list[UpstreamEvent]:
    return [decode_event(None, json.dumps(body).encode()) for body in bodies]


def chunks(*bodies: says.Body, **options: Any) -> list[ChatChunk]:
    return play(ChatStream(ChatOptions(**options), report=ResponseReport()), *events(*bodies))


def said(text: str) -> ChatChunk:
    return ChatChunk(content=text)


def call(text: str = "", *, index: int = 0, **first: Any) -> ChatChunk:
    return ChatChunk(call=CallDelta(index=index, text=text, **first))


def finish(reason: str) -> ChatChunk:
    return ChatChunk(finish_reason=reason)
