"""What a client's frame becomes: the body of the POST that asks for the same."""

from typing import Any

import msgspec
import pytest

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.websocket.create_frame import is_ignored, read_frame


def frame(**fields: Any) -> bytes:
    return msgspec.json.encode({"type": "response.create", "model": "m", **fields})


def body_of(data: bytes, *before: bytes, previous: str = "") -> Any:
    found = read_frame(data)
    assert found is not None
    return msgspec.json.decode(found.body(before, previous=previous))


def test_a_body_has_what_a_post_would_have() -> None:
    data = frame(input=[{"a": 1}], generate=True, stream=False, stream_id="s", store=False)

    assert body_of(data) == {"model": "m", "store": False, "input": [{"a": 1}], "stream": True}


def test_what_came_before_stands_before_what_is_new() -> None:
    data = frame(input=[3], previous_response_id="resp_1")

    assert body_of(data, b"1,2")["input"] == [1, 2, 3]
    assert "previous_response_id" not in body_of(data)
    assert body_of(data, previous="resp_1")["previous_response_id"] == "resp_1"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("hi", [{"type": "message", "role": "user", "content": "hi"}]),
        (None, []),
        ([], []),
        (7, 7),
        ({"a": 1}, {"a": 1}),
    ],
)
def test_an_input_that_is_no_list_is_one_message_or_left_to_be_refused(
    sent: Any, kept: Any
) -> None:
    assert body_of(frame(input=sent))["input"] == kept


def test_headers_of_a_turn_stand_in_its_metadata() -> None:
    metadata = {
        "ws_request_header_x_openai_internal_codex_responses_lite": "true",
        "x-openai-subagent": "guardian",
        "x-codex-ws-stream-request-start-ms": "1",
        "session-id": "abc",
        "x-codex-turn-metadata": "line\nbreak",
        "authorization": "Bearer other",
        "turn_id": "t",
    }
    found = read_frame(frame(client_metadata=metadata))

    assert found is not None
    assert found.headers == {
        "x-openai-internal-codex-responses-lite": "true",
        "x-openai-subagent": "guardian",
        "session-id": "abc",
    }
    kept = msgspec.json.decode(found.fields["client_metadata"])
    assert set(kept) == {
        *("session-id", "x-codex-turn-metadata", "authorization", "turn_id"),
        "x-openai-subagent",
    }


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b'{"type":"response.create"', b"\xff"])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    assert not is_ignored(data)
    with pytest.raises(BadRequest):
        read_frame(data)


@pytest.mark.parametrize("kind", ["response.processed", "response.append", "", "x"])
def test_other_types_are_ignored(kind: str) -> None:
    data = msgspec.json.encode({"type": kind})

    assert is_ignored(data)
    assert read_frame(data) is None
    assert not is_ignored(frame())


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"])
def test_half_an_emoji_and_a_mark_are_read_as_in_a_post(before: bytes) -> None:
    data = before + rb'{"type":"response.create","input":"a\ud83d","metadata":{"\udc00":"b"}}'

    assert not is_ignored(data)
    body = body_of(data)
    assert body["input"][0]["content"] == "a\N{REPLACEMENT CHARACTER}"
    assert body["metadata"] == {"\N{REPLACEMENT CHARACTER}": "b"}


@pytest.mark.parametrize("data", [b"{}", b'{"model":"m"}', b'{"type":null}'])
def test_a_frame_without_a_type_is_told_so(data: bytes) -> None:
    assert not is_ignored(data)
    with pytest.raises(BadRequest) as refused:
        read_frame(data)

    assert refused.value.param == "type"
