"""Calls in a Messages answer: however their arguments come, whole, in turn and by the client's names."""

import pytest
from support import upstream_says as says
from support.messages_streams import BASH_CALL, content, fed, read, stream, text, used

from codex_proapi.gateway.errors import Malformed


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


@pytest.mark.parametrize("arguments", [{"query": "select:Web"}, '{"query":"select:Web"}'])
def test_a_tool_search_is_the_call_of_the_clients_own_tool(arguments: object) -> None:
    item = {"type": "tool_search_call", "id": "tsc_1", "call_id": "call_9", "execution": "client"}
    found = {**item, "arguments": arguments, "status": "completed"}
    reader = read(
        says.text("let me look"), says.added(item, at=1), says.done(found, at=1), says.completed()
    )

    assert reader.content[1:] == [used("ToolSearch", "call_9", query="select:Web")]
    assert reader.message is not None
    assert reader.message["stop_reason"] == "tool_use"


def test_a_tool_search_that_cannot_be_read_has_no_arguments() -> None:
    bad = {"type": "tool_search_call", "id": 7, "arguments": [1]}

    [block] = content(says.done(bad), says.completed())

    assert (block["name"], block["input"]) == ("ToolSearch", {})
