"""What an answer looks like as events, and what each fault does to it."""

from typing import Any

import msgspec
import pytest
from support.requests_upstream import a_turn

from codex_proapi.simulator.answers.parts import Call, Compaction, Message, Reasoning, Search
from codex_proapi.simulator.backend.events import Envelope, StreamEvent, encode_event
from codex_proapi.simulator.backend.streams import compose
from codex_proapi.simulator.state.faults import Fault
from codex_proapi.simulator.state.seals import is_sealed_by

USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}


def events(*answer: Any, **fault: Any) -> Any:
    envelope = Envelope(
        response_id="resp_abc",
        created_at=1000,
        request=a_turn(),
        workspace="mine",
        model="gpt-5.5",
        usage=USAGE,
        rate_limits={"type": "codex.rate_limits"},
    )
    return [line.event for line in compose(list(answer), envelope, Fault(**fault))]


def types(*answer: Any, **fault: Any) -> Any:
    return [event["type"].removeprefix("response.") for event in events(*answer, **fault)]


HELLO = Message(text="Hello you")
LOOK = Call(name="look", arguments='{"a":1}')


def test_a_text_is_told_in_the_order_of_the_real_one() -> None:
    assert types(HELLO) == [
        *("created", "codex.rate_limits", "in_progress", "keepalive"),
        *("output_item.added", "content_part.added"),
        *("output_text.delta", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]


def test_events_are_numbered_but_for_the_quota() -> None:
    numbers = [event.get("sequence_number") for event in events(HELLO)]

    assert numbers == [0, None, *range(1, 11)]


def test_deltas_add_up_to_the_text() -> None:
    deltas = [e["delta"] for e in events(HELLO) if e["type"] == "response.output_text.delta"]

    assert deltas == ["Hello", " you"]


def test_the_terminal_event_counts_and_leaves_the_output_out() -> None:
    response = events(HELLO)[-1]["response"]

    assert response["status"] == "completed"
    assert response["output"] == []
    assert response["usage"] == USAGE
    assert response["end_turn"] is True
    assert response["model"] == "gpt-5.5"


def test_reasoning_is_summed_up_in_parts_and_sealed() -> None:
    thoughts = Reasoning(summary=("one", "two"))
    told = events(thoughts, vendor_events=False)

    assert types(thoughts, vendor_events=False)[2:-1] == [
        "output_item.added",
        *(
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
        )
        * 2,
        "output_item.done",
    ]
    assert is_sealed_by("mine", told[-2]["item"]["encrypted_content"])
    assert [e["summary_index"] for e in told if "summary_index" in e] == [0] * 4 + [1] * 4


def test_a_call_is_told_with_its_arguments_in_pieces() -> None:
    told = events(LOOK, vendor_events=False)

    assert types(LOOK, vendor_events=False)[2:-1] == [
        *("output_item.added", "function_call_arguments.delta"),
        *("function_call_arguments.done", "output_item.done"),
    ]
    item = told[-2]["item"]
    assert (item["type"], item["name"], item["arguments"]) == ("function_call", "look", '{"a":1}')
    assert item["call_id"].startswith("call_")
    assert told[-1]["response"]["end_turn"] is False


def test_a_custom_call_has_input_and_a_namespace_if_any() -> None:
    call = Call(name="apply_patch", arguments="***", custom=True, namespace="functions")

    item = events(call)[-2]["item"]

    assert item["type"] == "custom_tool_call"
    assert (item["input"], item["namespace"]) == ("***", "functions")
    assert "custom_tool_call_input.delta" in types(call)


def test_a_refusal_has_its_own_deltas() -> None:
    told = types(Message(text="no", refusal=True))

    assert "refusal.delta" in told
    assert "output_text.delta" not in told


def test_a_search_is_told_in_steps_and_its_text_cites() -> None:
    told = types(Search(query="cats"), Message(text="found", citation="https://example.com/"))

    assert "web_search_call.searching" in told
    assert "output_text.annotation.added" in told


def test_a_compaction_is_one_sealed_item() -> None:
    item = events(Compaction(text="all"))[-2]["item"]

    assert item["type"] == "compaction"
    assert is_sealed_by("mine", item["encrypted_content"])


def test_a_failure_before_the_first_word_says_nothing_before_it() -> None:
    told = types(HELLO, failure="server_is_overloaded")

    assert told == ["created", "codex.rate_limits", "in_progress", "keepalive", "failed"]


def test_a_failure_after_words_keeps_them() -> None:
    told = events(HELLO, failure="server_error", words=1)

    assert [event["type"].endswith("delta") for event in told].count(True) == 1
    assert told[-1]["response"]["error"] == {
        "code": "server_error",
        "message": "An error occurred while processing your request.",
    }


FORMS = [
    ("failed", ["failed"]),
    ("error", ["error"]),
    ("error_flat", ["error"]),
    ("both", ["error", "failed"]),
]


@pytest.mark.parametrize(("form", "ends"), FORMS)
def test_a_failure_has_several_forms(form: Any, ends: Any) -> None:
    told = types(HELLO, failure="usage_limit_reached", form=form, vendor_events=False)

    assert told == ["created", "in_progress", *ends]


def test_a_nested_error_has_a_type_and_a_flat_one_has_not() -> None:
    nested = events(failure="context_length_exceeded", form="error")[-1]
    flat = events(failure="context_length_exceeded", form="error_flat", message="too long")[-1]

    assert nested["error"]["type"] == "invalid_request_error"
    assert (flat["code"], flat["message"]) == ("context_length_exceeded", "too long")


ENDS = [
    ("none", ["output_item.done"]),
    ("twice", ["completed", "completed"]),
    ("length", ["incomplete"]),
    ("content_filter", ["incomplete"]),
]


@pytest.mark.parametrize(("terminal", "ends"), ENDS)
def test_a_stream_may_end_otherwise(terminal: Any, ends: Any) -> None:
    assert types(HELLO, terminal=terminal)[-len(ends) :] == ends


def test_an_incomplete_answer_says_why() -> None:
    response = events(HELLO, terminal="length")[-1]["response"]

    assert response["incomplete_details"] == {"reason": "max_output_tokens"}


def test_the_terminal_output_may_be_whole_or_null() -> None:
    whole = events(HELLO, output="full")[-1]["response"]["output"]

    assert whole[0]["content"][0]["text"] == "Hello you"
    assert events(HELLO, output="null")[-1]["response"]["output"] is None
    assert events(HELLO, usage=False)[-1]["response"]["usage"] is None


def test_parallel_calls_may_be_interleaved() -> None:
    told = types(LOOK, LOOK, order="interleaved", vendor_events=False)[2:6]

    assert told == [
        *("output_item.added", "output_item.added"),
        *("function_call_arguments.delta", "function_call_arguments.delta"),
    ]


def test_parallel_calls_may_finish_in_reverse() -> None:
    told = events(LOOK, LOOK, order="done_first")

    done = [e["output_index"] for e in told if e["type"] == "response.output_item.done"]
    assert done == [1, 0]


def test_an_answer_may_lack_deltas_or_finished_items_or_everything() -> None:
    assert not [t for t in types(HELLO, deltas=False) if t.endswith("delta")]
    assert "output_item.done" not in types(HELLO, item_done=False)
    assert types(HELLO, empty=True, vendor_events=False) == ["created", "in_progress", "completed"]


FRAMINGS = [
    ("lf", b'event: ping\ndata: {"type":"ping","n":1}\n\n'),
    ("bom", b'event: ping\ndata: {"type":"ping","n":1}\n\n'),
    ("crlf", b'event: ping\r\ndata: {"type":"ping","n":1}\r\n\r\n'),
    ("cr", b'event: ping\rdata: {"type":"ping","n":1}\r\r'),
    ("data_only", b'data: {"type":"ping","n":1}\n\n'),
    ("multi_line", b'event: ping\ndata: {"type":"ping",\ndata: "n":1}\n\n'),
]


@pytest.mark.parametrize(("framing", "raw"), FRAMINGS)
def test_every_framing_says_the_same(framing: Any, raw: Any) -> None:
    assert encode_event(StreamEvent(event={"type": "ping", "n": 1}), framing) == raw


def test_the_type_stands_first_in_the_data() -> None:
    raw = encode_event(StreamEvent(event=events(HELLO)[-1]), "data_only")

    assert raw.startswith(b'data: {"type":"response.completed","sequence_number":')
    assert msgspec.json.decode(raw.removeprefix(b"data: "))["type"] == "response.completed"
