"""What a public Responses client may rely on."""

from typing import get_args

import pytest
from openai.types.responses import ResponseStreamEvent

from codex_proapi.gateway.formats.openai.responses import (
    PUBLIC_EVENTS,
    complete_response,
    encode_response_event,
    whole_usage,
)

KNOWN = {"id": "resp_1", "model": "m", "created_at": 7}


def test_every_public_event_is_known_to_the_python_sdk() -> None:
    shapes = get_args(get_args(ResponseStreamEvent)[0])
    names = {get_args(shape.model_fields["type"].annotation)[0] for shape in shapes}

    assert names >= PUBLIC_EVENTS


def test_a_bare_response_gets_every_field_clients_need() -> None:
    assert complete_response({}, known=KNOWN, status="in_progress") == {
        "id": "resp_1",
        "object": "response",
        "created_at": 7,
        "model": "m",
        "status": "in_progress",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "temperature": None,
        "top_p": None,
        "usage": None,
    }


def test_null_never_replaces_what_is_required_or_known() -> None:
    nulls = dict.fromkeys(("id", "model", "created_at", "output", "tools", "object", "status"))
    whole = complete_response(nulls, known={**KNOWN, "tools": None}, status="completed")

    assert (whole["id"], whole["output"], whole["tools"]) == ("resp_1", [], [])
    assert (whole["status"], whole["object"], whole["created_at"]) == ("completed", "response", 7)


def test_what_upstream_says_counts_and_its_other_fields_stay() -> None:
    whole = complete_response(
        {"status": "queued", "parallel_tool_calls": False, "service_tier": "default"},
        known=KNOWN,
        status="in_progress",
    )

    assert whole["status"] == "queued"
    assert whole["parallel_tool_calls"] is False
    assert whole["service_tier"] == "default"


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens_details": None}, "odd"])
def test_usage_always_has_every_count(usage: object) -> None:
    assert whole_usage(usage) == {
        "input_tokens": 0,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 0,
    }


def test_usage_of_upstream_is_kept_and_its_total_made_up_if_missing() -> None:
    provided = {
        "input_tokens": 3,
        "output_tokens": 4,
        "input_tokens_details": {"cache_write_tokens": 1},
    }
    whole = whole_usage(provided)

    assert whole["total_tokens"] == 7
    assert whole["input_tokens_details"] == {"cache_write_tokens": 1, "cached_tokens": 0}
    assert whole_usage({**provided, "total_tokens": 9})["total_tokens"] == 9


def test_an_event_is_named_by_its_type() -> None:
    assert encode_response_event({"type": "error", "n": 1}) == (
        b'event: error\ndata: {"type":"error","n":1}\n\n'
    )
