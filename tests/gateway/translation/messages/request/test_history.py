"""Messages of every kind, as upstream's items and in order."""

from typing import Any

import pytest
from support import askings as up
from support.messages_bodies import (
    asked,
    assistant,
    items,
    result,
    system,
    text,
    tool,
    use,
    user,
)

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.codex.requests import account_mark
from codex_proapi.gateway.translation.history.call_pairing import INTERRUPTED
from codex_proapi.gateway.translation.messages.answer.signature import sealed

PNG = up.PIXEL.partition(",")[2]
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
SENT_IMAGE = {"type": "input_image", "image_url": up.PIXEL}


def part(words: str) -> dict[str, str]:
    return {"type": "input_text", "text": words}


def thought(signature: Any, words: str = "Hm") -> dict[str, Any]:
    return {"type": "thinking", "thinking": words, "signature": signature}


def reasoning(content: str) -> dict[str, Any]:
    return {"type": "reasoning", "summary": [], "encrypted_content": content}


def test_text_of_both_sides() -> None:
    assert items(
        user("hi"),
        assistant(text("A"), text(""), text("B")),
        user(text("x", cache_control={"type": "ephemeral"})),
    ) == [
        up.user("hi"),
        {
            **up.assistant("A"),
            "content": [*up.assistant("A")["content"], *up.assistant("B")["content"]],
        },
        up.user("x"),
    ]


def test_system_messages_stay_in_place_as_the_developers() -> None:
    assert items(user("hi"), system("env"), assistant("A"), system(text("later")), user("go")) == [
        up.user("hi"),
        up.developer("env"),
        up.assistant("A"),
        up.developer("later"),
        up.user("go"),
    ]


def test_empty_messages_say_nothing() -> None:
    assert items(user("hi"), assistant(text("")), system(""), user("")) == [up.user("hi")]


def test_results_in_another_order_with_text_behind_them() -> None:
    assert items(
        user("hi"),
        assistant(text("A"), use("call_1", "Bash", command="ls"), use("call_2", "Read")),
        user(result("call_2", "two"), result("call_1", [text("one")]), text("and")),
    ) == [
        up.user("hi"),
        up.assistant("A"),
        up.call("call_1", "Bash", '{"command":"ls"}'),
        up.call("call_2", "Read"),
        up.result("call_2", "two"),
        up.result("call_1", [part("one")]),
        up.user("and"),
    ]


def test_call_without_a_result_and_result_without_a_call() -> None:
    found = items(user("hi"), assistant(use("call_1", "Bash")), user(result("gone", "x")))

    assert found[2] == up.result("call_1", INTERRUPTED)
    assert found[3]["role"] == "user"


@pytest.mark.parametrize(
    ("content", "output"),
    [
        (None, ""),
        ("", ""),
        ([], ""),
        ("text", "text"),
        ([text("a"), IMAGE], [part("a"), SENT_IMAGE]),
        (
            [{"type": "search_result", "title": "T", "source": "S", "content": [text("p")]}],
            [part("T\nS\np")],
        ),
        (
            [{"type": "document", "source": {"type": "text", "data": "doc"}}],
            [part("doc")],
        ),
        (
            [{"type": "document", "source": {"type": "content", "content": [text("a"), IMAGE]}}],
            [part("a"), SENT_IMAGE],
        ),
        ([{"type": "search_result"}, text("a")], [part("a")]),
        (
            [{"type": "document", "source": {"type": "content", "content": "a"}}],
            [part("a")],
        ),
        (
            [{"type": "tool_reference", "tool_name": "gone"}],
            [part("The tool gone is not available.")],
        ),
        (f'[{{"type":"image","source":{{"type":"base64","data":"{PNG}"}}}}]', [SENT_IMAGE]),
    ],
)
def test_results_of_every_form(content: Any, output: Any) -> None:
    found = items(user("hi"), assistant(use("call_1", "Bash")), user(result("call_1", content)))

    assert found[2] == up.result("call_1", output)


@pytest.mark.parametrize(
    ("content", "output"),
    [
        ("no", "[tool error]\nno"),
        ([text("no")], [part("[tool error]"), part("no")]),
        (None, "[tool error]\n"),
    ],
)
def test_failed_calls_say_so(content: Any, output: Any) -> None:
    failed = result("call_1", content, is_error=True)

    assert items(user("hi"), assistant(use("call_1", "Bash")), user(failed))[2] == up.result(
        "call_1", output
    )


@pytest.mark.parametrize(
    ("first", "second", "output"),
    [
        ("a", "b", "a\nb"),
        ([text("a")], "b", [part("a"), part("b")]),
        ("", [text("b")], [part("b")]),
    ],
)
def test_two_results_of_one_call_are_joined(first: Any, second: Any, output: Any) -> None:
    found = items(
        user("hi"),
        assistant(use("call_1", "Bash")),
        user(result("call_1", first), result("call_1", second)),
    )

    assert found[2:] == [up.result("call_1", output)]


def test_tens_of_thousands_of_results_of_one_call_are_joined_at_once() -> None:
    # Joined one by one each copied all before it: the whole process stood still for seconds.
    many = [result("call_1", [text("a")])] * 40_000
    found = items(user("hi"), assistant(use("call_1", "Bash")), user(*many))

    assert len(found[2]["output"]) == len(many)


def test_one_id_in_two_turns_is_two_calls() -> None:
    turn = [assistant(use("call_1", "Bash")), user(result("call_1", "x"))]
    found = items(user("hi"), *turn, *turn)

    assert [item["output"] for item in found if item["type"] == "function_call_output"] == [
        "x",
        "x",
    ]


def test_reference_to_a_loaded_tool_gives_its_definition() -> None:
    found = items(
        user("hi"),
        assistant(use("call_1", "ToolSearch", query="q")),
        user(result("call_1", [{"type": "tool_reference", "tool_name": "mcp__a__b"}])),
        tools=[tool("ToolSearch"), tool("mcp__a__b", defer_loading=True)],
    )

    assert [each["name"] for each in found[2]["tools"]] == ["mcp__a__b"]


def test_tools_added_and_taken_away_are_told_in_place() -> None:
    reference = {"type": "tool_reference", "name": "A"}
    found = items(
        user("hi"),
        system({"type": "tool_addition", "tool": tool("B")}),
        system({"type": "tool_removal", "tool": reference}),
        tools=[tool("A")],
    )

    assert "B is loaded" in found[1]["content"][0]["text"]
    assert "A is no longer available" in found[2]["content"][0]["text"]


def test_signature_of_ours_is_reasoning_again() -> None:
    signature = sealed("acc_1", ["gAAAA", "gBBBB"])
    translated = asked(
        {"messages": [user("hi"), assistant(thought(signature), text("A")), user("go")]}
    )

    assert list(translated.request.input) == [
        up.user("hi"),
        reasoning("gAAAA"),
        reasoning("gBBBB"),
        up.assistant("A"),
        up.user("go"),
    ]
    mark = account_mark("acc_1")
    assert translated.request.encrypted_for == {"gAAAA": mark, "gBBBB": mark}


@pytest.mark.parametrize("signature", ["", None, "EqQBCkYIBxgCKkBmo", "gAAAAABk", "cpa0:a:b", 7])
def test_thinking_of_others_is_left_out_whole(signature: Any) -> None:
    assert items(user("hi"), assistant(thought(signature), text("A")), user("go")) == [
        up.user("hi"),
        up.assistant("A"),
        up.user("go"),
    ]


def test_reasoning_stands_before_the_call_it_led_to() -> None:
    found = items(
        user("hi"),
        assistant(thought(sealed("", ["g1"])), use("call_1", "Bash")),
        user(result("call_1", "x")),
    )

    assert found[1:3] == [reasoning("g1"), up.call("call_1", "Bash")]


def test_reasoning_that_nothing_follows_is_left_out() -> None:
    lonely = assistant(text("A"), thought(sealed("", ["g1"])))

    assert items(user("hi"), lonely, user("go")) == [
        up.user("hi"),
        up.assistant("A"),
        up.user("go"),
    ]
    assert items(user("hi"), assistant(thought(sealed("", ["g1"]))), user("go")) == [
        up.user("hi"),
        up.user("go"),
    ]


def test_redacted_thinking_is_left_out() -> None:
    redacted = {"type": "redacted_thinking", "data": "x"}

    assert items(user("hi"), assistant(redacted, text("A")))[1:] == [up.assistant("A")]


def test_searches_of_before_are_told_as_text() -> None:
    found = items(
        user("hi"),
        assistant(
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
            {
                "type": "web_search_tool_result",
                "tool_use_id": "s1",
                "content": [{"type": "web_search_result", "url": "http://a", "title": "A"}],
            },
            {
                "type": "web_search_tool_result",
                "tool_use_id": "s2",
                "content": {"type": "web_search_tool_result_error", "error_code": "unavailable"},
            },
            text("B"),
        ),
    )

    assert [each["text"] for each in found[1]["content"]] == [
        "[web search: q]\n- A: http://a",
        "[web search: ]\n[failed: unavailable]",
        "B",
    ]


@pytest.mark.parametrize(("summary", "told"), [("So far: x", ["So far: x", "B"]), (None, ["B"])])
def test_a_compaction_is_told_as_its_text(summary: Any, told: list[str]) -> None:
    found = items(
        user("hi"), assistant({"type": "compaction", "content": summary}, text("B")), user("go")
    )

    assert [each["text"] for each in found[1]["content"]] == told


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        (IMAGE, SENT_IMAGE),
        (
            {"type": "image", "source": {"type": "url", "url": "https://a/b.png"}},
            {"type": "input_image", "image_url": "https://a/b.png"},
        ),
        (
            {
                "type": "document",
                "title": "a.pdf",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
            },
            {
                "type": "input_file",
                "filename": "a.pdf",
                "file_data": "data:application/pdf;base64,JVBE",
            },
        ),
    ],
)
def test_pictures_and_files(content: Any, sent: Any) -> None:
    assert items(user(content))[0]["content"] == [sent]


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (
            user({"type": "image", "source": {"type": "file", "file_id": "f"}}),
            "messages.0.content.0.source.file_id",
        ),
        (
            user({"type": "document", "source": {"type": "url", "url": "http://a"}}),
            "messages.0.content.0.source.data",
        ),
        ({"role": "tool", "content": "x"}, "messages.0.role"),
        ({"content": "x"}, "messages.0.role"),
        ({"role": "user", "content": 7}, "messages.0.content"),
        (assistant({"type": "tool_use", "id": "a"}), "messages.0.content.0.name"),
        (user(text("x"), {"type": "text", "text": 7}), "messages.0.content.1.text"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(message: Any, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        items(message)

    assert caught.value.param == param


def test_title_and_context_of_a_document_are_told() -> None:
    told = {"type": "document", "title": "T", "context": "C", "citations": {"enabled": True}}
    sources = (
        {"type": "text", "media_type": "text/plain", "data": "doc"},
        {"type": "content", "content": "doc"},
        {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
    )

    of_text, of_parts, of_file = items(*(user({**told, "source": each}) for each in sources))

    assert [each["text"] for each in of_text["content"]] == ["T\nC", "doc"]
    assert [each["text"] for each in of_parts["content"]] == ["T\nC", "doc"]
    context, sent_file = of_file["content"]
    assert context["text"] == "C"
    assert (sent_file["type"], sent_file["filename"]) == ("input_file", "T")


def test_long_ids_are_shortened_alike_on_both_sides() -> None:
    long = "toolu_" + "a" * 90
    call, answer = items(user("hi"), assistant(use(long, "Bash")), user(result(long, "x")))[1:]

    assert call["call_id"] == answer["call_id"]
    assert len(call["call_id"]) <= 64


def test_long_names_of_history_come_back() -> None:
    long = "mcp__server__" + "x" * 80
    translated = asked(
        {"messages": [user("hi"), assistant(use("call_1", long)), user(result("call_1", "x"))]}
    )

    assert list(translated.tool_names.values()) == [long]


@pytest.mark.parametrize("data", [None, "", 7])
def test_an_image_without_bytes_is_refused(data: Any) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}

    with pytest.raises(BadRequest) as refused:
        items(user(image))

    assert refused.value.param == "messages.0.content.0.source.data"
