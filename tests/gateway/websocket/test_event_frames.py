"""Blocks of an event stream become frames; the last event is the last frame."""

import msgspec
import pytest

from codex_proapi.gateway.errors import BudgetSpent, Overloaded
from codex_proapi.gateway.websocket.event_frames import EventFrames, error_frame

CREATED = b'event: response.created\ndata: {"type":"response.created"}\n\n'
ITEM = b'event: response.output_item.done\ndata: {"type":"response.output_item.done","item":{"id":"i"}}\n\n'
DONE = (
    b'event: response.completed\ndata: {"type":"response.completed","response":{"id":"resp_9"}}\n\n'
)
FAILED = b'event: response.failed\ndata: {"type":"response.failed"}\n\n'
ERROR = b'event: error\ndata: {"type":"error"}\n\n'


def test_events_are_frames_and_the_whole_response_is_remembered() -> None:
    frames = EventFrames()

    found = frames.feed(CREATED + ITEM) + frames.feed(DONE + DONE)

    assert [msgspec.json.decode(each)["type"] for each in found] == [
        "response.created",
        "response.output_item.done",
        "response.completed",
    ]
    assert (frames.response_id, frames.output, frames.ended) == ("resp_9", [b'{"id":"i"}'], True)


def test_nothing_follows_a_failure_and_it_cannot_be_continued() -> None:
    frames = EventFrames()

    assert len(frames.feed(CREATED + FAILED + ERROR)) == 2
    assert frames.feed(CREATED) == []
    assert frames.response_id == ""


@pytest.mark.parametrize(
    ("block", "payloads"),
    [
        (b": keep-alive\n\n", [b'{"type":"keepalive"}']),
        (b'data: {"type":"a"}\n\n', [b'{"type":"a"}']),
        (b'event: a\ndata: {"type":\ndata: "a"}\n\n', [b'{"type": "a"}']),
        (b"data: [DONE]\n\n", []),
        (b"event: a\n\n", []),
    ],
)
def test_other_forms_of_blocks(block: bytes, payloads: list[bytes]) -> None:
    assert EventFrames().feed(block) == payloads


def test_a_refusal_has_one_status_and_what_the_headers_would_say() -> None:
    spent = BudgetSpent("spent", resets_at=7, resets_in=3)
    found = msgspec.json.decode(error_frame(spent, [(b"x-should-retry", b"false")]))
    busy = msgspec.json.decode(error_frame(Overloaded("busy"), [(b"connection", b"close")]))

    assert found["status"] == 429
    assert found["error"]["type"] == "usage_limit_reached"
    assert found["error"]["resets_at"] == 7
    assert found["headers"] == {"x-should-retry": "false"}
    assert (busy["status"], busy["headers"]) == (503, {})
    assert "status_code" not in found
