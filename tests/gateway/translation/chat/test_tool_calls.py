"""Calls one after the other: complete, in order, each told once."""

from typing import Any

from codex_proapi.gateway.formats.codex.items import CustomCallItem, FunctionCallItem
from codex_proapi.gateway.formats.openai.chat_chunks import CUSTOM, FUNCTION, LEGACY, CallDelta
from codex_proapi.gateway.translation.chat.tool_calls import MAX_EARLY, ChatToolCalls


def calls(**options: Any) -> ChatToolCalls:
    provided: dict[str, Any] = {
        "rename": lambda name: name,
        "custom_tools": frozenset(),
        "legacy": False,
        "fallback_id": "chatcmpl-1",
    }
    return ChatToolCalls(**{**provided, **options})


def item(n: int = 1, arguments: str = "", **fields: Any) -> FunctionCallItem:
    provided = {"id": f"fc_{n}", "call_id": f"call_{n}", "arguments": arguments, **fields}
    return FunctionCallItem(f"f{n}", **provided)


def first(n: int = 1, *, index: int = 0, text: str = "") -> CallDelta:
    return CallDelta(index=index, id=f"call_{n}", name=f"f{n}", text=text)


def more(text: str, *, index: int = 0) -> CallDelta:
    return CallDelta(index=index, text=text)


def test_id_and_name_come_first_and_only_once() -> None:
    told = calls()

    assert told.add(item(), 0) == [first()]
    assert told.text('{"a":', "fc_1", 0) == [more('{"a":')]
    assert told.text("1}", "fc_1", 0) == [more("1}")]
    assert told.end('{"a":1}', "fc_1", 0) == []
    assert told.done(item(arguments='{"a":1}'), 0) == []
    assert (told.any_whole, told.any_half) == (True, False)
    assert repr(told) == "<ChatToolCalls 1 of 1 begun>"


def test_a_later_call_waits_until_the_earlier_one_has_ended() -> None:
    told = calls()
    told.add(item(1), 0)

    assert told.add(item(2), 1) == []
    assert told.text("{2", "fc_2", 1) == []
    assert told.text("{1}", "fc_1", 0) == [more("{1}")]
    assert told.text("}", "fc_2", 1) == []
    assert told.done(item(2), 1) == []
    assert told.done(item(1), 0) == [first(2, index=1, text="{2}")]


def test_a_waiting_call_that_has_not_ended_goes_on_when_its_turn_comes() -> None:
    told = calls()
    told.add(item(1), 0)
    told.add(item(2), 1)
    told.text("{2", "fc_2", 1)

    assert told.end("{}", "fc_1", 0) == [more("{}"), first(2, index=1), more("{2", index=1)]
    assert told.text("}", "fc_2", 1) == [more("}", index=1)]


def test_deltas_find_their_call_by_id_then_by_index_then_as_the_current_one() -> None:
    told = calls()
    told.add(item(1), 0)

    assert told.text("a", "fc_1", None) == [more("a")]
    assert told.text("b", "changed_id", 0) == [more("b")]
    assert told.text("c", None, None) == [more("c")]
    assert told.text("d", "changed_id", None) == [more("d")]
    assert told.text("e", "fc_1", 9) == [more("e")]


def test_a_call_without_an_index_is_the_current_one_for_any() -> None:
    told = calls()
    told.add(item(1, id=None), None)

    assert told.text("a", "fc_9", 7) == [more("a")]


def test_an_ended_call_takes_no_more() -> None:
    told = calls()
    told.add(item(1), 0)
    told.end("{}", "fc_1", 0)

    assert told.text("x", "fc_1", 0) == []
    assert told.text("x", None, None) == []
    assert told.end("{}", "fc_1", 0) == []


def test_arguments_without_deltas_are_told_whole() -> None:
    told = calls()
    told.add(item(1), 0)

    assert told.end('{"a":1}', "fc_1", 0) == [more('{"a":1}')]
    assert told.done(item(1, '{"a":1}'), 0) == []


def test_a_finished_item_alone_is_one_delta() -> None:
    told = calls()

    assert told.done(item(1, "{}"), 0) == [first(text="{}")]
    assert told.done(item(1, "{}"), 0) == []


def test_deltas_before_their_announcement_are_not_lost() -> None:
    told = calls()

    assert told.text('{"a"', "fc_1", None) == []
    assert told.text(":1", None, 0) == []
    assert told.text("other", "fc_2", None) == []
    assert told.text("nameless", None, None) == []
    assert told.add(item(1), 0) == [first(), more('{"a":1')]
    assert told.text("}", "fc_1", 0) == [more("}")]


def test_a_finished_item_counts_more_than_deltas_before_any_announcement() -> None:
    told = calls()
    told.text("half", "fc_1", 0)

    assert told.done(item(1, '{"whole":1}'), 0) == [first(text='{"whole":1}')]


def test_deltas_nobody_announces_are_bounded() -> None:
    told = calls()
    for _ in range(MAX_EARLY + 5):
        told.text("x", "fc_1", 0)

    assert told.add(item(1), 0)[1].text == "x" * MAX_EARLY


def test_an_end_nobody_announced_says_nothing() -> None:
    assert calls().end("{}", "fc_1", 0) == []


def test_a_function_without_arguments_gets_an_empty_object() -> None:
    told = calls()
    told.add(item(1), 0)

    assert told.done(item(1, ""), 0) == [more("{}")]
    assert calls().done(item(1, None), 0) == [first(text="{}")]  # type: ignore[arg-type]


def test_an_empty_input_of_a_custom_tool_stays_empty() -> None:
    told = calls(custom_tools=frozenset({"patch"}))
    custom = CustomCallItem("patch", id="ctc_1", call_id="call_1", input="")

    assert told.add(custom, 0) == [CallDelta(form=CUSTOM, id="call_1", name="patch")]
    assert told.done(custom, 0) == []
    assert told.any_whole


def test_a_custom_tool_is_custom_only_for_whom_declared_it_so() -> None:
    custom = CustomCallItem("patch", id="ctc_1", call_id="call_1", input="*")

    (as_custom,) = calls(custom_tools=frozenset({"patch"})).done(custom, 0)
    (as_function,) = calls().done(custom, 0)
    (from_function,) = calls(custom_tools=frozenset({"f1"})).done(item(1, "*"), 0)

    assert (as_custom.form, as_custom.text) == (CUSTOM, "*")
    assert (as_function.form, as_function.text) == (FUNCTION, "*")
    assert (from_function.form, from_function.text) == (CUSTOM, "*")


def test_the_old_form_has_room_for_one_call() -> None:
    told = calls(legacy=True)

    assert told.done(item(1, "{}"), 0) == [
        CallDelta(form=LEGACY, id="call_1", name="f1", text="{}")
    ]
    assert told.done(item(2, "{}"), 1) == []
    assert told.close(complete=True) == []


def test_missing_ids_are_made_up_from_what_is_there() -> None:
    assert calls().done(item(1, "{}", call_id=None), 0)[0].id == "fc_1"
    assert calls().done(item(1, "{}", call_id=None, id=None), 0)[0].id == "call_chatcmpl-1_0"


def test_names_are_restored() -> None:
    told = calls(rename={"f1": "the.real/name"}.__getitem__)

    assert told.add(item(1), 0)[0].name == "the.real/name"


def test_a_whole_answer_completes_every_call() -> None:
    told = calls()
    told.add(item(1), 0)
    told.text("{}", "fc_1", 0)
    told.add(item(2), 1)

    assert told.close(complete=True) == [first(2, index=1, text="{}")]
    assert (told.any_whole, told.any_half) == (True, False)


def test_a_call_cut_by_a_limit_stays_half_and_one_behind_it_untold() -> None:
    told = calls()
    told.add(item(1), 0)
    told.text('{"a', "fc_1", 0)
    told.add(item(2), 1)

    assert told.close(complete=False) == []
    assert (told.any_whole, told.any_half) == (False, True)


def test_a_call_cut_before_its_first_argument_is_not_given_an_empty_object() -> None:
    told = calls()
    told.add(item(1), 0)

    assert told.close(complete=False) == []
    assert told.any_half


def test_a_finished_call_behind_a_cut_one_is_told() -> None:
    told = calls()
    told.add(item(1), 0)
    told.done(item(2, "{}"), 1)

    assert told.close(complete=False) == [first(2, index=1, text="{}")]


def test_an_item_marked_incomplete_is_half() -> None:
    told = calls()
    told.done(item(1, '{"a', status="incomplete"), 0)
    told.close(complete=False)

    assert (told.any_whole, told.any_half) == (False, True)


def test_arguments_given_whole_are_complete_if_they_are_json() -> None:
    for text, whole in (('{"a":1}', True), ('{"a', False)):
        told = calls()
        told.add(item(1), 0)
        told.end(text, "fc_1", 0)
        told.close(complete=False)

        assert told.any_whole is whole


def test_only_a_call_in_its_turn_speaks() -> None:
    told = calls()
    assert told.current is None

    told.add(item(1), 0)
    assert told.current is None

    told.text("{", "fc_1", 0)
    told.text("", "fc_1", 0)
    assert told.current is not None

    told.done(item(1), 0)
    assert told.current is None


def test_a_call_announced_twice_is_told_once() -> None:
    told = calls()
    told.add(item(1), 0)

    assert told.add(item(1), 0) == []


def test_a_delta_of_another_item_never_goes_to_the_current_call() -> None:
    told = calls()
    told.add(item(1), 0)

    assert told.text("x", "fc_2", 1) == []
