"""Plays transcripts: what came in on the left, what went out on the right."""

import itertools
import json
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.formats.codex.events import UpstreamEvent
from codex_proapi.gateway.formats.openai.chat_chunks import ChatChunk
from codex_proapi.gateway.translation.chat.chunks_from_events import ChatStream
from codex_proapi.gateway.translation.stream.answer_state import AnswerStream, Piece
from codex_proapi.gateway.translation.stream.response_observer import observe
from codex_proapi.gateway.translation.stream.stream_translator import StreamTranslator

TRANSCRIPTS = pathlib.Path(__file__).parent.parent / "transcripts"


def transcript(name: str) -> bytes:
    """A recorded stream, `tests/transcripts/<name>.sse`."""
    return (TRANSCRIPTS / f"{name}.sse").read_bytes()


def play(stream: ChatStream, *events: UpstreamEvent) -> list[ChatChunk]:
    """All chunks that these events cause."""
    return [chunk for event in events for chunk in given(stream, event)]


def given(stream: AnswerStream[Piece], event: UpstreamEvent) -> list[Piece]:
    """What one event causes: it is noted in the answer's report first, as translators do it."""
    observe(event, stream.report)
    return stream.feed(event)


def in_pieces(data: bytes, *cuts: int) -> Iterator[bytes]:
    """The same bytes, cut at these places."""
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return (data[a:b] for a, b in itertools.pairwise(edges))


def sse(*bodies: dict[str, Any], named: bool = True) -> bytes:
    """Upstream's messages for these events, numbered, with or without `event:` lines."""
    return b"".join(
        (f"event: {body['type']}\n".encode() if named else b"")
        + b"data: "
        + json.dumps({"sequence_number": i, **body}, ensure_ascii=False).encode()
        + b"\n\n"
        for i, body in enumerate(bodies)
    )


def pumped(wire: StreamTranslator, pieces: Iterable[bytes]) -> bytes:
    """All bytes a client gets: the pump as the relay has it, without its sockets."""
    out = b""
    try:
        for piece in pieces:
            out += wire.feed(piece)
            if wire.done:
                break
        return out + wire.finish()
    except GatewayError as error:
        return out + wire.fail(error)


def messages(data: bytes) -> list[Any]:
    """What a strict client reads: each `data:` line as JSON, comments skipped, `[DONE]` as text.

    Fails on whatever breaks some client: a line that is no field, an event name without its data.
    """
    assert data.endswith(b"\n\n") or not data
    read: list[Any] = []
    for block in data.decode().split("\n\n")[:-1]:
        lines = block.split("\n")
        names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
        texts = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        assert len(names) + len(texts) == len(lines), block
        assert len(texts) == 1, block
        read.append(texts[0] if texts[0] == "[DONE]" else json.loads(texts[0]))
        assert not names or names == [read[-1]["type"]], block
    return read


def deltas(data: bytes) -> list[Any]:
    """A chat stream in short: each chunk's delta, finish reason, usage or error, then `[DONE]`."""
    short: list[Any] = []
    for message in messages(data):
        if message == "[DONE]" or "error" in message:
            short.append(message)
        elif not message["choices"]:
            short.append(message["usage"])
        else:
            choice = message["choices"][0]
            short.append(choice["finish_reason"] or choice["delta"])
    return short


def truncated_at_every_byte(
    make: Any, data: bytes
) -> Iterator[tuple[int, bytes, StreamTranslator]]:
    """What a client gets of a stream that breaks off, for every place it may break off at."""
    for cut in range(len(data) + 1):
        wire = make()
        yield cut, pumped(wire, [data[:cut]]), wire
