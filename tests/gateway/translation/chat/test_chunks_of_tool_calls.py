"""Calls in a chat stream: announced, told in pieces, in the client's own names and kind."""

from support import upstream_says as says
from support.chat_streams import ROLE, call, chunks, finish

from codex_proapi.gateway.formats.openai.chat_chunks import CUSTOM, LEGACY


def test_a_call_is_announced_then_told_in_pieces_then_the_reason_is_tool_calls() -> None:
    assert chunks(
        says.created(),
        says.added(says.call("get_weather")),
        says.arguments('{"city":'),
        says.arguments('"Oslo"}'),
        says.arguments_done('{"city":"Oslo"}'),
        says.done(says.call("get_weather", '{"city":"Oslo"}')),
        says.completed(),
    ) == [
        ROLE,
        call(id="call_1", name="get_weather"),
        call('{"city":'),
        call('"Oslo"}'),
        finish("tool_calls"),
    ]


def test_parallel_calls_are_never_interleaved() -> None:
    one, two = says.call("a"), says.call("b", id_="fc_2", call_id="call_2")

    assert chunks(
        says.added(one, at=0),
        says.added(two, at=1),
        says.arguments("{2", item="fc_2", at=1),
        says.arguments("{1", at=0),
        says.arguments("}", item="fc_2", at=1),
        says.arguments("}", at=0),
        says.done({**two, "arguments": "{2}"}, at=1),
        says.done({**one, "arguments": "{1}"}, at=0),
        says.completed(),
    ) == [
        ROLE,
        call(id="call_1", name="a"),
        call("{1"),
        call("}"),
        call("{2}", index=1, id="call_2", name="b"),
        finish("tool_calls"),
    ]


def test_a_call_known_only_by_its_finished_item_is_one_chunk() -> None:
    assert chunks(says.done(says.call("f", "{}")), says.completed())[1:] == [
        call("{}", id="call_1", name="f"),
        finish("tool_calls"),
    ]


def test_arguments_known_only_by_their_end_are_one_chunk() -> None:
    assert chunks(says.added(says.call("f")), says.arguments_done("{}"), says.completed())[1:] == [
        call(id="call_1", name="f"),
        call("{}"),
        finish("tool_calls"),
    ]


def test_a_custom_tool_is_custom_for_whom_declared_it_and_else_a_function() -> None:
    bodies = (
        says.added(says.custom("apply_patch")),
        says.input_("*** Begin"),
        {"type": "response.custom_tool_call_input.done", "item_id": "ctc_1", "input": "*** Begin"},
        says.done(says.custom("apply_patch", "*** Begin")),
        says.completed(),
    )
    declared = {"custom_tools": frozenset({"apply_patch"})}

    assert chunks(*bodies, **declared)[1:] == [
        call(id="call_1", name="apply_patch", form=CUSTOM),
        call("*** Begin", form=CUSTOM),
        finish("tool_calls"),
    ]
    as_function = [
        call(id="call_1", name="apply_patch"),
        call("*** Begin"),
        finish("tool_calls"),
    ]
    assert chunks(*bodies, **declared, custom_as_function=True)[1:] == as_function
    assert chunks(*bodies)[1:] == as_function


def test_a_custom_input_known_only_by_its_end_is_one_chunk() -> None:
    done = {"type": "response.custom_tool_call_input.done", "item_id": "ctc_1", "input": "*"}

    assert chunks(says.added(says.custom("p")), done)[-1] == call("*")


def test_legacy_functions_are_answered_as_such() -> None:
    assert chunks(
        says.added(says.call("f")),
        says.arguments("{}"),
        says.done(says.call("f", "{}")),
        says.completed(),
        legacy_functions=True,
    )[1:] == [
        call(id="call_1", name="f", form=LEGACY),
        call("{}", form=LEGACY),
        finish("function_call"),
    ]


def test_tool_names_are_the_clients_own() -> None:
    bodies = (says.done(says.call("mcp__x_1", "{}")), says.completed())

    assert chunks(*bodies, tool_names={"mcp__x_1": "mcp__server__x"})[1] == call(
        "{}", id="call_1", name="mcp__server__x"
    )
