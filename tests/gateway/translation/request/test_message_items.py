"""What chat messages become."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.askings import PIXEL, assistant, call, chat_call, developer, result, user

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.translation.dropped_parameters import Dropped
from codex_proapi.gateway.translation.request.context import TranslationContext
from codex_proapi.gateway.translation.request.message_items import message_items, text_messages
from codex_proapi.gateway.translation.tools.tool_names import ToolNames

IMAGE = {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}
SENT_IMAGE = {"type": "input_image", "image_url": PIXEL, "detail": "low"}


def _items(entry: Any, **rest: Any) -> list[Any]:
    reading = TranslationContext(names=ToolNames(), dropped=Dropped(), **rest)
    return message_items(entry, "messages[0]", reading)


TEXT_PART: Any = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "input_text", "output_text"]), "text": st.text(max_size=3)},
    optional={"cache_control": st.just({})},
)
ODD_PART = st.sampled_from(
    ["text", {"text": "no type"}, {"type": ["text"], "text": "a"}, {"type": "text"}, IMAGE, 7]
)
CONTENT = st.one_of(
    st.text(max_size=3),
    st.lists(TEXT_PART, max_size=3),
    st.lists(st.one_of(TEXT_PART, ODD_PART), max_size=3),
    st.sampled_from([None, 7, {"type": "text", "text": "one part"}]),
)
ENTRY: Any = st.fixed_dictionaries(
    {
        "role": st.sampled_from(
            ["user", "assistant", "system", "developer", "tool", "x", None, []]
        ),
        "content": CONTENT,
    },
    optional={
        "type": st.sampled_from(["message", "function_call", None, []]),
        "refusal": st.just("no"),
        "phase": st.just("commentary"),
        "name": st.just("a"),
    },
)


@given(ENTRY)
def test_a_message_of_text_is_what_it_is_in_parts(entry: dict[str, Any]) -> None:
    [item] = text_messages([entry])

    if item:
        assert _items(entry) == [item]


@pytest.mark.parametrize("role", ["user", "system", "developer", "assistant"])
@pytest.mark.parametrize("content", ["hi", [{"type": "text", "text": "hi"}]])
@pytest.mark.parametrize("rest", [{}, {"type": "message"}])
def test_a_message_of_text_is_known_by_its_fields(role: str, content: Any, rest: Any) -> None:
    entry = {"role": role, "content": content, **rest}

    assert text_messages([entry]) == _items(entry)
    assert text_messages([{**entry, "type": "reasoning"}]) == [{}]


@pytest.mark.parametrize("role", ["system", "developer"])
@pytest.mark.parametrize(
    "content", ["Be brief.", [{"type": "text", "text": "Be brief.", "cache_control": {}}]]
)
def test_system_text_is_the_developers(role: str, content: Any) -> None:
    assert _items({"role": role, "content": content, "name": "a b"}) == [developer("Be brief.")]


def test_a_developer_may_show_an_image() -> None:
    assert _items({"role": "system", "content": [IMAGE]}) == [
        {"type": "message", "role": "developer", "content": [SENT_IMAGE]}
    ]


@pytest.mark.parametrize("role", ["system", "user", "assistant"])
@pytest.mark.parametrize("content", ["", [], None, [{"type": "text", "text": ""}], "absent"])
def test_a_message_that_says_nothing_is_left_out(role: str, content: Any) -> None:
    entry: dict[str, Any] = {"role": role, "content": content}
    if content == "absent":
        del entry["content"]

    assert _items(entry) == []


def test_a_user_says_text_and_images_in_order() -> None:
    content = [{"type": "text", "text": "a"}, IMAGE, {"type": "text", "text": ""}, "b"]

    assert _items({"role": "user", "content": content, "name": "Bob"}) == [
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "a"},
                SENT_IMAGE,
                {"type": "input_text", "text": "b"},
            ],
        }
    ]
    assert _items({"role": "user", "content": "hi"}) == [user("hi")]


def test_anthropics_results_stand_where_they_stood() -> None:
    content = [
        {"type": "text", "text": "before"},
        {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "x"}]},
        {"type": "tool_result", "tool_use_id": "t2", "content": "y", "is_error": True},
        {"type": "text", "text": "after"},
    ]

    assert _items({"role": "user", "content": content}) == [
        user("before"),
        result("t1", [{"type": "input_text", "text": "x"}]),
        result("t2", "y"),
        user("after"),
    ]


def test_an_assistant_says_text() -> None:
    entry: dict[str, Any] = {
        "role": "assistant",
        "content": "hello",
        "reasoning_content": "hm",
        "reasoning_details": [],
        "annotations": [],
        "audio": None,
    }

    assert _items(entry) == [assistant("hello")]


def test_an_assistants_parts_are_text() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "no"}, IMAGE]

    assert _items({"role": "assistant", "content": content}) == [
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "a"},
                {"type": "output_text", "text": "no"},
            ],
        }
    ]


def test_a_refusal_is_text() -> None:
    entry = {"role": "assistant", "content": None, "refusal": "I cannot"}

    assert _items(entry) == [assistant("I cannot")]


@pytest.mark.parametrize("phase", ["commentary", "final_answer"])
def test_a_known_phase_is_kept(phase: str) -> None:
    assert _items({"role": "assistant", "content": "a", "phase": phase}) == [
        {**assistant("a"), "phase": phase}
    ]
    assert _items({"role": "assistant", "content": "a", "phase": "odd"}) == [assistant("a")]


def test_calls_follow_the_text_and_make_no_message_of_their_own() -> None:
    calls = [chat_call("c1", "read", '{"a":1}'), chat_call("c2", "read", "")]

    assert _items({"role": "assistant", "content": "", "tool_calls": calls}) == [
        call("c1", "read", '{"a":1}'),
        call("c2", "read", "{}"),
    ]
    assert _items({"role": "assistant", "content": "Reading.", "tool_calls": calls[1:]}) == [
        assistant("Reading."),
        call("c2", "read"),
    ]


@pytest.mark.parametrize(
    ("arguments", "text"), [({"a": 1}, '{"a":1}'), (None, "{}"), ("{", "{"), ([1], "[1]")]
)
def test_arguments_are_text(arguments: Any, text: str) -> None:
    entry = {"role": "assistant", "tool_calls": [chat_call("c", "f", arguments)]}

    assert _items(entry) == [call("c", "f", text)]


@pytest.mark.parametrize("call_id", [None, 7, ""])
def test_a_missing_id_is_left_to_pairing(call_id: Any) -> None:
    entry = {"role": "assistant", "tool_calls": [chat_call(call_id, "f")]}

    assert _items(entry) == [call("", "f")]


def test_a_flat_call_is_read_too() -> None:
    flat = {"id": "c", "name": "f", "arguments": "{}"}

    assert _items({"role": "assistant", "tool_calls": [flat]}) == [call("c", "f")]


@pytest.mark.parametrize(
    "provided",
    [
        {"id": "c", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}},
        chat_call("c", "patch", "*** Begin"),
    ],
)
def test_a_call_of_a_custom_tool_is_custom_however_it_arrives(provided: Any) -> None:
    entry = {"role": "assistant", "tool_calls": [provided]}

    assert _items(entry, custom=frozenset({"patch"})) == [
        {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "*** Begin"}
    ]


def test_anthropics_calls_stand_where_they_stood() -> None:
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
        {"type": "text", "text": "b"},
    ]

    assert _items({"role": "assistant", "content": content}) == [
        assistant("a"),
        call("t", "f", '{"a":1}'),
        assistant("b"),
    ]


def test_an_older_function_call_has_no_id() -> None:
    entry = {
        "role": "assistant",
        "content": None,
        "function_call": {"name": "f", "arguments": "{}"},
    }

    assert _items(entry) == [call("", "f")]
    assert _items({"role": "assistant", "function_call": None, "tool_calls": None}) == []


@pytest.mark.parametrize(
    ("entry", "item"),
    [
        ({"role": "tool", "tool_call_id": "c", "content": "x", "name": "f"}, result("c", "x")),
        ({"role": "tool", "tool_call_id": "c", "content": ""}, result("c", "")),
        ({"role": "tool", "tool_call_id": "c"}, result("c", "")),
        (
            {
                "role": "tool",
                "tool_call_id": "c",
                "content": [{"type": "text", "text": "x"}, IMAGE],
            },
            result("c", [{"type": "input_text", "text": "x"}, SENT_IMAGE]),
        ),
        ({"role": "tool", "content": "x"}, result("", "x")),
        ({"role": "function", "name": "f", "content": "x"}, {**result("", "x"), "name": "f"}),
    ],
)
def test_a_result(entry: Any, item: Any) -> None:
    assert _items(entry) == [item]


@pytest.mark.parametrize(
    ("entry", "param"),
    [
        ({}, "messages[0].role"),
        ({"role": 7}, "messages[0].role"),
        ({"role": "human", "content": "x"}, "messages[0].role"),
        ({"role": "user", "content": 7}, "messages[0].content"),
        ({"role": "assistant", "tool_calls": 7}, "messages[0].tool_calls"),
        ({"role": "assistant", "tool_calls": [7]}, "messages[0].tool_calls[0]"),
        ({"role": "assistant", "tool_calls": [{}]}, "messages[0].tool_calls[0].name"),
        (
            {"role": "assistant", "tool_calls": [{"function": {}}]},
            "messages[0].tool_calls[0].function.name",
        ),
        ({"role": "assistant", "function_call": {}}, "messages[0].function_call.name"),
        ({"role": "assistant", "content": [{"type": "tool_use"}]}, "messages[0].content.name"),
    ],
)
def test_what_cannot_be_read_is_refused(entry: Any, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        _items(entry)

    assert refused.value.param == param
