"""Given these upstream events, exactly that message: every rule of a Messages answer."""

import json
from typing import Any

import pytest
from support import upstream_says as says
from support.strict_messages import StrictReader

from codex_proapi.gateway.errors import EmptyAnswer, Malformed, Truncated, UpstreamRefused
from codex_proapi.gateway.formats.anthropic.events import encode
from codex_proapi.gateway.formats.codex.events import decode_event
from codex_proapi.gateway.translation.messages.answer.events_from_upstream import (
    MessagesState,
    MessagesStream,
)
from codex_proapi.gateway.translation.messages.answer.options import MessagesOptions
from codex_proapi.gateway.translation.messages.answer.signature import opened, sealed
from codex_proapi.gateway.translation.messages.answer.tool_arguments import shape_of

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
        message_id="msg_1",
        model="claude-x",
        account=lambda: "acc_1",
    )


def fed(made: MessagesStream, *bodies: says.Body) -> list[Any]:
    return [
        event
        for body in bodies
        for event in made.feed(decode_event(None, json.dumps(body).encode()))
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


def test_text() -> None:
    reader = read(
        says.created(),
        says.text("Hel"),
        says.text("lo"),
        says.text_done("Hello"),
        says.done(says.message("Hello")),
        says.completed(says.message("Hello")),
    )

    assert reader.stopped
    assert reader.message == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [text("Hello")],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 12,
            "cache_creation_input_tokens": 8,
            "cache_read_input_tokens": 80,
            "output_tokens": 20,
        },
    }


def test_message_start_has_an_estimate() -> None:
    reader = StrictReader().read(encode(fed(stream(input_tokens=321), says.created())[0]))

    assert reader.message is not None
    assert reader.message["usage"]["input_tokens"] == 321


def test_message_starts_once_and_with_the_first_event() -> None:
    made = stream()

    assert len(fed(made, says.created())) == 1
    assert fed(made, says.created()) == []


@pytest.mark.parametrize(
    "bodies",
    [
        [says.text_done("Hello")],
        [says.done(says.message("Hello"))],
        [says.completed(says.message("Hello"))],
        [says.text("Hello"), says.completed(says.message("Hello"))],
    ],
)
def test_text_is_written_once_wherever_it_comes_first(bodies: list[says.Body]) -> None:
    if bodies[-1]["type"] != "response.completed":
        bodies = [*bodies, says.completed(says.message("Hello"))]

    assert content(*bodies) == [text("Hello")]


def test_thinking_is_signed_just_before_its_end() -> None:
    assert content(
        says.added({**says.reasoning(), "encrypted_content": "snapshot"}),
        says.thought("Hm"),
        says.thought("m."),
        says.thought("So", part=1),
        says.done(says.reasoning("Hmm.", "So")),
        says.text("Yes", at=1),
        says.completed(),
    ) == [thinking("Hmm.\n\nSo"), text("Yes")]


def test_thinking_without_a_summary_is_only_a_signature() -> None:
    assert content(says.done(says.reasoning()), says.text("Yes", at=1), says.completed()) == [
        thinking(""),
        text("Yes"),
    ]


def test_reasoning_items_in_a_row_are_one_block() -> None:
    blocks = content(
        says.thought("A"),
        says.done(says.reasoning("A")),
        says.thought("B", item="rs_2", at=1),
        says.done({**says.reasoning("B", id_="rs_2"), "encrypted_content": "gBBBB"}, at=1),
        says.done(BASH_CALL, at=2),
        says.completed(),
    )

    assert blocks[0]["thinking"] == "A\n\nB"
    envelope = opened(blocks[0]["signature"])
    assert envelope is not None
    assert envelope.contents == ("gAAAA", "gBBBB")


def test_snapshot_counts_only_where_the_end_brings_nothing() -> None:
    item = {**says.reasoning(), "encrypted_content": None}
    blocks = content(
        says.added({**item, "encrypted_content": "snap"}),
        says.done(item),
        says.text("Yes", at=1),
        says.completed(),
    )

    assert blocks[0] == thinking("", sealed("acc_1", ["snap"]))


def test_late_reasoning_opens_a_block_of_its_own() -> None:
    assert content(
        says.text("A"),
        says.thought("Late", at=1),
        says.done(says.reasoning("Late"), at=1),
        says.text("B", at=2),
        says.completed(),
    ) == [text("A"), thinking("Late"), text("B")]


def test_signature_that_nothing_follows_is_left_out() -> None:
    assert content(says.text("A"), says.done(says.reasoning(), at=1), says.completed()) == [
        text("A")
    ]


def test_thinking_that_nobody_asked_for_is_not_written() -> None:
    assert content(
        says.thought("Hm"),
        says.done(says.reasoning("Hm")),
        says.text("Yes", at=1),
        says.completed(),
        thinking=False,
    ) == [text("Yes")]


def test_omitted_thinking_has_its_signature_only() -> None:
    assert content(
        says.thought("Hm"),
        says.done(says.reasoning("Hm")),
        says.text("Yes", at=1),
        says.completed(),
        summaries=False,
    ) == [thinking(""), text("Yes")]


def test_thinking_without_encrypted_content_has_no_signature() -> None:
    item = {**says.reasoning("Hm"), "encrypted_content": 7}

    assert content(says.done(item), says.text("Yes", at=1), says.completed()) == [
        thinking("Hm", ""),
        text("Yes"),
    ]


@pytest.mark.parametrize(
    "bodies",
    [
        [says.added(says.call("Bash")), says.arguments('{"command":'), says.arguments('"ls"}')],
        [says.added(says.call("Bash")), says.arguments_done('{"command":"ls"}')],
        [says.arguments('{"command":"ls"}'), says.added(says.call("Bash"))],
        [],
    ],
)
def test_call_however_its_arguments_come(bodies: list[says.Body]) -> None:
    reader = read(*bodies, says.done(BASH_CALL), says.completed())

    assert reader.content == [used("Bash", command="ls")]
    assert reader.message is not None
    assert reader.message["stop_reason"] == "tool_use"


def test_arguments_pass_piece_by_piece_where_all_are_required() -> None:
    made = stream()
    fed(made, says.created())

    first = fed(made, says.added(says.call("Write")), says.arguments('{"path":'))
    assert [type(event).__name__ for event in first] == ["BlockStart", "BlockDelta"]
    assert len(fed(made, says.arguments('"a","content":"b"}'))) == 1
    assert fed(made, says.arguments_done('{"path":"a","content":"b"}')) == []
    (end,) = fed(made, says.done(says.call("Write", '{"path":"a","content":"b"}')))
    assert type(end).__name__ == "BlockStop"


def test_fillers_are_taken_out_of_arguments() -> None:
    arguments = '{"command":"ls","timeout":null}'

    assert content(
        says.added(says.call("Bash")),
        says.arguments(arguments),
        says.done(says.call("Bash", arguments)),
        says.completed(),
    ) == [used("Bash", command="ls")]


@pytest.mark.parametrize("arguments", ["", "[]", "nonsense", '"a"'])
def test_arguments_that_are_no_object_are_none(arguments: str) -> None:
    assert content(says.done(says.call("Bash", arguments)), says.completed()) == [used("Bash")]


def test_pieces_that_make_no_object_break_the_answer() -> None:
    with pytest.raises(Malformed):
        read(
            says.added(says.call("Write")),
            says.arguments('{"path":'),
            says.done(says.call("Write", '{"path":')),
        )


def test_parallel_calls_never_overlap() -> None:
    write = '{"path":"a","content":"b"}'

    assert content(
        says.added(says.call("Write", id_="fc_1")),
        says.added(says.call("Write", id_="fc_2", call_id="call_2"), at=1),
        says.arguments('{"path":"c","con', item="fc_2", at=1),
        says.arguments('{"path":"a",', item="fc_1"),
        says.text("between", at=2),
        says.arguments('"content":"b"}', item="fc_1"),
        says.arguments('tent":"d"}', item="fc_2", at=1),
        says.done(says.call("Write", id_="fc_2", call_id="call_2"), at=1),
        says.done(says.call("Write", write, id_="fc_1")),
        says.completed(),
    ) == [
        used("Write", path="a", content="b"),
        used("Write", "call_2", path="c", content="d"),
        text("between"),
    ]


def test_text_before_and_after_calls_keeps_its_turn() -> None:
    assert content(
        says.text("A"), says.done(BASH_CALL, at=1), says.text("B", at=2), says.completed()
    ) == [text("A"), used("Bash", command="ls"), text("B")]


def test_names_come_back_as_the_client_has_them() -> None:
    assert content(
        says.done(says.call("short", '{"a":1}')), says.completed(), tool_names={"short": "a.b"}
    ) == [used("a.b", a=1)]


@pytest.mark.parametrize(
    ("call_id", "expected"),
    [("call_1", "call_1"), ("fc:a.b|c", "fc_a_b_c"), ("toolu_01-A", "toolu_01-A")],
)
def test_ids_hold_only_letters_that_clients_accept(call_id: str, expected: str) -> None:
    (block,) = content(says.done(says.call("Bash", "{}", call_id=call_id)), says.completed())

    assert block["id"] == expected


def test_ids_are_unique_and_never_missing() -> None:
    blocks = content(
        says.done(says.call("Bash", "{}", id_="a", call_id="x.1"), at=0),
        says.done(says.call("Bash", "{}", id_="b", call_id="x:1"), at=1),
        says.done({"type": "function_call", "name": "Bash"}, at=2),
        says.completed(),
    )

    assert [block["id"] for block in blocks] == ["x_1", "x_1_2", "call_msg_1_2"]


def test_custom_call_is_a_call_with_one_argument() -> None:
    assert content(
        says.added(says.custom("Patch")),
        says.input_("*** Be"),
        says.input_("gin"),
        says.done(says.custom("Patch", "*** Begin")),
        says.completed(),
    ) == [used("Patch", input="*** Begin")]


def test_refusal_is_text_and_says_so() -> None:
    bodies = [says.refusal("I will"), says.refusal(" not."), says.completed()]

    assert content(*bodies) == [text("I will not.")]
    assert stop(*bodies) == ("refusal", None)
    assert stop(says.text("A", part=1), *bodies) == ("end_turn", None)


def test_stop_sequence_cuts_the_text_and_is_named() -> None:
    bodies = [says.text("One STO"), says.text("P two"), says.completed()]
    reader = read(*bodies, stop=("STOP", "END"))

    assert reader.content == [text("One ")]
    assert stop(*bodies, stop=("STOP", "END")) == ("stop_sequence", "STOP")
    assert reader.message is not None
    assert reader.message["usage"]["output_tokens"] == 20


def test_text_held_back_for_a_stop_sequence_is_written_before_a_call() -> None:
    assert content(
        says.text("One ST"), says.done(BASH_CALL, at=1), says.completed(), stop=("STOP",)
    ) == [text("One ST"), used("Bash", command="ls")]


def test_what_follows_a_stop_sequence_is_not_written() -> None:
    assert content(
        says.text("One STOP"),
        says.text(" more"),
        says.done(BASH_CALL, at=1),
        says.failed(),
        stop=("STOP",),
    ) == [text("One ")]


def test_stop_sequence_before_any_text_leaves_no_block() -> None:
    assert content(says.text("STOP"), says.completed(), stop=("STOP",)) == []


def test_stream_that_ends_after_a_stop_sequence_is_whole() -> None:
    made = stream(stop=("STOP",))
    written = fed(made, says.text("One STOP"))

    assert StrictReader().read(b"".join(map(encode, written + made.finish()))).stopped
    assert made.finish() == []


@pytest.mark.parametrize(
    ("reason", "stop_reason"),
    [
        ("max_output_tokens", "max_tokens"),
        ("content_filter", "refusal"),
        ("context_window_exceeded", "model_context_window_exceeded"),
        ("something new", "max_tokens"),
    ],
)
@pytest.mark.parametrize("with_call", [False, True])
def test_short_answer_says_why(reason: str, stop_reason: str, with_call: bool) -> None:
    calls = [says.done(BASH_CALL, at=1)] if with_call else []

    assert stop(says.text("A"), *calls, says.incomplete(reason)) == (stop_reason, None)


def test_call_cut_by_a_limit_is_not_mentioned() -> None:
    assert content(
        says.text("A"),
        says.added(says.call("Bash"), at=1),
        says.arguments('{"comm', at=1),
        says.incomplete(),
    ) == [text("A")]


def test_call_with_all_its_arguments_is_whole_though_the_answer_is_cut() -> None:
    assert content(
        says.added(says.call("Bash")),
        says.arguments_done('{"command":"ls"}'),
        says.incomplete(),
    ) == [used("Bash", command="ls")]


def test_call_that_upstream_calls_incomplete_is_not_mentioned() -> None:
    assert content(
        says.text("A"),
        says.done({**BASH_CALL, "status": "incomplete"}, at=1),
        says.incomplete(),
    ) == [text("A")]


def test_call_the_client_knows_of_and_upstream_cuts_is_never_ended() -> None:
    made = stream()
    written = fed(made, says.added(says.call("Write")), says.arguments('{"path":'))

    with pytest.raises(Truncated):
        fed(made, says.incomplete())
    assert made.state is MessagesState.FAILED
    assert StrictReader().read(b"".join(map(encode, written))).complete == []


@pytest.mark.parametrize(
    "bodies", [[], [says.done(says.reasoning("Hm"))], [says.text("")], [says.thought("Hm")]]
)
def test_empty_answer_is_an_error(bodies: list[says.Body]) -> None:
    with pytest.raises(EmptyAnswer):
        read(*bodies, says.completed())


def test_failure_is_an_error() -> None:
    with pytest.raises(UpstreamRefused):
        read(says.text("A"), says.failed())


def test_end_of_bytes_is_never_an_end_of_the_turn() -> None:
    made = stream()
    fed(made, says.text("A"))

    with pytest.raises(Truncated):
        made.finish()


def test_search_with_sources_comes_before_its_text() -> None:
    search = {
        "type": "web_search_call",
        "id": "ws_1",
        "action": {"type": "search", "query": "q", "sources": [{"type": "url", "url": "http://a"}]},
    }
    reader = read(says.done(search), says.text("A", at=1), says.completed())
    use, result, words = reader.content

    assert (use["type"], use["name"], use["input"]) == (
        "server_tool_use",
        "web_search",
        {"query": "q"},
    )
    assert result["tool_use_id"] == use["id"]
    assert result["content"] == [
        {
            "type": "web_search_result",
            "url": "http://a",
            "title": "http://a",
            "encrypted_content": "",
            "page_age": None,
        }
    ]
    assert words == text("A")
    assert reader.message is not None
    assert reader.message["usage"]["server_tool_use"] == {"web_search_requests": 1}
    assert reader.message["stop_reason"] == "end_turn"


def test_search_without_sources_has_the_pages_its_answer_cites() -> None:
    cited = {"type": "url_citation", "url": "http://a", "title": "A"}
    blocks = content(
        says.done({"type": "web_search_call", "id": "ws_1", "action": {"queries": ["x", "y"]}}),
        says.done({"type": "web_search_call", "id": "ws_2", "action": 7}, at=1),
        says.text("A", at=2),
        says.done(says.message("A", annotations=(cited, cited)), at=2),
        says.completed(),
    )

    assert [block["type"] for block in blocks] == [
        "text",
        "server_tool_use",
        "web_search_tool_result",
        "server_tool_use",
        "web_search_tool_result",
    ]
    assert blocks[1]["input"] == {"query": "x, y"}
    assert [page["title"] for page in blocks[2]["content"]] == ["A"]
    assert blocks[4]["content"] == []


def test_safeguards_are_answered_with_nothing_judged() -> None:
    reader = read(says.text("A"), says.completed(), safeguards=("dangerous_tool_use",))

    assert reader.message is not None
    assert reader.message["safeguard_results"] == [
        {"type": "dangerous_tool_use", "status": {"type": "available", "tool_uses": {}}}
    ]


def test_usage_that_upstream_does_not_tell_is_the_estimate() -> None:
    reader = read(says.text("A"), says.completed(usage=None), input_tokens=5)

    assert reader.message is not None
    assert reader.message["usage"]["input_tokens"] == 5
