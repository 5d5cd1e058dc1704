"""Names to shapes: known events, unknown ones, and what is no event at all."""

import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import upstream_says as says
from support.playbook import transcript

from codex_proapi.gateway.errors import Malformed
from codex_proapi.gateway.formats.codex import events
from codex_proapi.gateway.formats.codex.events import (
    SHAPES,
    AnnotationAdded,
    ArgumentsDelta,
    ArgumentsDone,
    InputDelta,
    InputDone,
    ItemAdded,
    ItemDone,
    Metadata,
    RateLimits,
    RawReasoningDelta,
    RawReasoningDone,
    ReasoningDelta,
    ReasoningDone,
    RefusalDelta,
    RefusalDone,
    ResponseCompleted,
    ResponseCreated,
    ResponseFailed,
    ResponseIncomplete,
    ResponseInProgress,
    TextDelta,
    TextDone,
    UnknownEvent,
    UpstreamErrorEvent,
    UpstreamEvent,
    decode_block,
    decode_event,
    speaks,
)
from codex_proapi.gateway.formats.sse import SSEDecoder


def decoded(body: Any, name: str | None = None) -> Any:
    return decode_event(name.encode() if name else None, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("body", "event"),
    [
        (
            says.text("Hel", at=1, part=2),
            TextDelta("Hel", item_id="msg_1", output_index=1, content_index=2),
        ),
        ({"type": "response.output_text.done", "text": "Hello"}, TextDone("Hello")),
        (says.refusal("No"), RefusalDelta("No", item_id="msg_1", output_index=0, content_index=0)),
        ({"type": "response.refusal.done", "refusal": "No"}, RefusalDone("No")),
        (
            says.thought("Hm", part=1),
            ReasoningDelta("Hm", item_id="rs_1", output_index=0, summary_index=1),
        ),
        ({"type": "response.reasoning_summary_text.done", "text": "Hm"}, ReasoningDone("Hm")),
        ({"type": "response.reasoning_text.delta", "delta": "Hm"}, RawReasoningDelta("Hm")),
        ({"type": "response.reasoning_text.done", "text": "Hm"}, RawReasoningDone("Hm")),
        (says.arguments("{", at=3), ArgumentsDelta("{", item_id="fc_1", output_index=3)),
        (says.arguments_done("{}"), ArgumentsDone("{}", item_id="fc_1", output_index=0)),
        (says.input_("*"), InputDelta("*", item_id="ctc_1", output_index=0)),
        ({"type": "response.custom_tool_call_input.done", "input": "*"}, InputDone("*")),
        ({"type": "keepalive", "sequence_number": 3}, UnknownEvent("keepalive")),
        ({"type": "x" * 100}, UnknownEvent("x" * 64)),
        ({}, UnknownEvent("")),
    ],
)
def test_an_event_becomes_its_struct(body: Any, event: Any) -> None:
    assert decoded(body) == event


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("response.created", ResponseCreated),
        ("response.queued", ResponseInProgress),
        ("response.in_progress", ResponseInProgress),
        ("response.metadata", Metadata),
        ("codex.response.metadata", Metadata),
        ("codex.rate_limits", RateLimits),
        ("response.output_text.annotation.added", AnnotationAdded),
        ("response.completed", ResponseCompleted),
        ("response.incomplete", ResponseIncomplete),
        ("response.failed", ResponseFailed),
        ("response.cancelled", ResponseFailed),
        ("error", UpstreamErrorEvent),
    ],
)
def test_fields_that_nobody_needs_may_be_missing(name: str, shape: type) -> None:
    assert isinstance(decoded({"type": name}), shape)


@pytest.mark.parametrize(
    ("status", "shape"),
    [
        ("completed", ResponseCompleted),
        (None, ResponseCompleted),
        ("incomplete", ResponseIncomplete),
        ("failed", ResponseFailed),
        ("cancelled", ResponseFailed),
    ],
)
def test_response_done_is_what_its_status_says(status: str | None, shape: type) -> None:
    body = {"type": "response.done", "response": {"id": "resp_1", "status": status}}

    assert isinstance(decoded(body), shape)


def test_response_done_without_a_response_is_completed() -> None:
    assert decoded({"type": "response.done"}) == ResponseCompleted()


def test_the_payloads_type_counts_and_the_event_line_only_without_one() -> None:
    assert decoded({"type": "keepalive"}, "response.output_text.delta") == UnknownEvent("keepalive")
    assert decoded({"delta": "x"}, "response.output_text.delta") == TextDelta("x")


def test_items_are_kept_as_they_came() -> None:
    item = {"id": "fc_1", "type": "function_call", "arguments": {"not": "a string"}}

    for body, shape in ((says.added(item, at=2), ItemAdded), (says.done(item, at=2), ItemDone)):
        event = decoded(body)
        assert isinstance(event, shape)
        assert (json.loads(bytes(event.item)), event.output_index) == (item, 2)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (b"response.output_text.delta", b"garbage"),
        (b"response.output_text.delta", b'{"delta":"\xff"}'),
        (b"response.output_text.delta", b'{"type":"response.output_text.delta","delta":null}'),
        (b"response.output_text.delta", b'{"type":"response.output_text.delta"}'),
        (b"response.completed", b'{"type":"response.completed","response":'),
        (b"response.done", b'{"type":"response.done","response":{"status":5}}'),
        (None, b'{"type":"response.output_text.delta","delta":"cut of'),
        (None, b'{"type":5}'),
        (None, b'{"type":"response.created","x":' + b"[" * 100_000),
    ],
)
def test_known_events_that_cannot_be_read_are_malformed(name: bytes | None, data: bytes) -> None:
    with pytest.raises(Malformed):
        decode_event(name, data)


@pytest.mark.parametrize(
    ("name", "data", "known_as"),
    [
        (None, b"[DONE]", "[DONE]"),
        (None, b"ping", "no JSON"),
        (b"ping", b"{", "ping"),
        (b"\xff", b"1", "\ufffd"),
    ],
)
def test_what_is_no_json_is_unknown_unless_it_could_be_an_event(
    name: bytes | None, data: bytes, known_as: str
) -> None:
    assert decode_event(name, data) == UnknownEvent(known_as)


def test_half_an_emoji_is_no_fault() -> None:
    data = rb'{"type":"response.output_text.delta","delta":"\ud83d"}'

    assert decode_event(None, data) == TextDelta("\ud83d")


def test_every_event_of_the_sample_stream_is_read() -> None:
    kinds = [
        type(decode_event(message.event, message.data)).__name__
        for message in SSEDecoder().feed(transcript("text_reasoning_tool"))
    ]

    assert kinds.count("UnknownEvent") == 4  # parts that begin or end
    assert kinds[0] == "ResponseCreated"
    assert kinds[-1] == "ResponseCompleted"


@pytest.mark.parametrize(
    "body",
    [
        says.text("x"),
        says.refusal("x"),
        says.thought("x"),
        {"type": "response.reasoning_text.delta", "delta": "x"},
        says.arguments("x"),
        says.input_("x"),
        says.done(says.message()),
        says.completed(),
        says.incomplete(),
    ],
)
def test_words_items_and_endings_are_the_commit_point(body: Any) -> None:
    assert speaks(decoded(body))


@pytest.mark.parametrize(
    "body",
    [
        says.created(),
        says.added(says.message()),
        says.text(""),
        says.rate_limits(),
        says.failed(),
        says.text_done("x"),
        {"type": "response.content_part.added"},
        {"type": "codex.response.metadata"},
        {"type": "error"},
    ],
)
def test_announcements_and_failures_are_not(body: Any) -> None:
    assert not speaks(decoded(body))


def test_the_union_has_every_shape() -> None:
    assert {*SHAPES.values(), UnknownEvent} == set(get_args(UpstreamEvent))


_FIELDS = st.dictionaries(
    st.sampled_from(["delta", "item", "response", "output_index", "item_id", "text", "headers"]),
    st.sampled_from(["x", 1, None, {}, {"id": "a"}, [1], "\u00e9"]),
)
_KINDS = st.sampled_from([*SHAPES, "response.unheard_of"])


def _outcome(block: bytes) -> Any:
    try:
        return decode_block(block)
    except Malformed as error:
        return str(error)


@given(
    _KINDS,
    _KINDS | st.none(),
    _FIELDS,
    st.booleans(),
    st.sampled_from([b"", b"", b" ", b"x", b"\nid: 1", b"\ndata: "]),
)
def test_an_event_read_in_one_step_is_as_one_whose_lines_were_read_first(
    kind: str, line: str | None, fields: Any, first: bool, after: bytes
) -> None:
    body = {"type": kind, **fields} if first else {**fields, "type": kind}
    data = b"data: " + msgspec.json.encode(body) + after
    blocks = [data, b"event: %b\n%b" % (kind.encode(), data)]
    blocks += [b"event: %b\n%b" % (line.encode(), data)] if line else []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(events, "_PLAIN", {})
        expected = [_outcome(block) for block in blocks]

    assert [_outcome(block) for block in blocks] == expected


def test_a_block_without_data_is_no_event() -> None:
    assert decode_block(b": a comment") is None
    assert decode_block(b"event: response.created") is None
