"""Classic or lite: which shape a body takes, and tool choices that are forced."""

from typing import Any

import pytest
from support.askings import (
    CLASSIC,
    HI,
    LITE,
    asked,
    call,
    chat_call,
    chat_tool,
    developer,
    items,
    result,
    sent,
    tool,
    user,
    wire,
)
from support.upstream_rules import broken_rule

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.codex.requests import Shape
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.responses.options import ResponseOptions


class TestDecidingTheShapeOfABody:
    def test_messages_win_on_the_chat_route(self) -> None:
        assert items(HI, input="other") == [user("hi")]

    def test_a_responses_shaped_body_on_the_chat_route_is_answered_as_chat(self) -> None:
        translated = asked(
            {
                "input": [{"role": "user", "content": "hi"}],
                "tools": [
                    {"type": "function", "name": "Read", "parameters": {"type": "object"}},
                    {"type": "custom", "name": "Patch", "format": {"type": "text"}},
                ],
                "stream": True,
                "stream_options": {"include_usage": False},
                "previous_response_id": "resp_1",
                "metadata": {"cursorConversationId": "conversation-1"},
            }
        )

        assert translated.answer == ChatOptions(include_usage=True)
        assert not translated.unresolved
        assert translated.dropped == ("metadata", "previous_response_id")
        assert [t["type"] for t in translated.request.body()["tools"]] == ["function", "custom"]

    def test_cursors_own_conversation_id_names_the_conversation(self) -> None:
        def name(text: str, conversation: object) -> str:
            body = {"input": text, "metadata": {"cursorConversationId": conversation}}
            return asked(body).fingerprint_source

        assert name("one", "c1") == name("two", "c1")
        assert name("one", "c1") != name("one", "c2")
        assert name("one", 7) != name("two", 7)

    def test_empty_messages_give_way_to_input(self) -> None:
        assert sent({"messages": [], "input": "hi"})["input"] == [user("hi")]

    def test_chat_messages_inside_input_are_read_as_such(self) -> None:
        body = sent(
            {
                "input": [
                    {"role": "user", "content": [{"type": "input_text", "text": "read"}]},
                    {"role": "assistant", "content": None, "tool_calls": [chat_call("c1", "Read")]},
                    {"role": "tool", "tool_call_id": "c1", "content": "text"},
                ]
            }
        )

        assert body["input"] == [user("read"), call("c1", "Read"), result("c1", "text")]

    def test_messages_on_the_responses_route_are_answered_as_responses(self) -> None:
        translated = asked({"messages": [HI]}, endpoint="responses")

        assert isinstance(translated.answer, ResponseOptions)
        assert list(translated.request.input) == [user("hi")]

    @pytest.mark.parametrize(("endpoint", "param"), [("chat", "messages"), ("responses", "input")])
    def test_neither_is_refused(self, endpoint: Any, param: str) -> None:
        with pytest.raises(BadRequest) as refused:
            asked({}, endpoint=endpoint)

        assert refused.value.param == param

    @pytest.mark.parametrize("messages", [[], [{"role": "user", "content": ""}], [7], 7])
    def test_messages_that_say_nothing_are_refused(self, messages: object) -> None:
        with pytest.raises(BadRequest) as refused:
            asked({"messages": messages})

        assert (refused.value.param or "").startswith("messages")

    def test_a_string_of_messages_is_a_users(self) -> None:
        assert sent({"messages": "hi"})["input"] == [user("hi")]

    def test_anthropics_system_stands_first(self) -> None:
        system = [
            {"type": "text", "text": "Be", "cache_control": {}},
            {"type": "text", "text": "brief"},
        ]

        assert items(HI, system=system) == [developer("Be\n\nbrief"), user("hi")]


class TestForcedChoices:
    BODY: dict[str, Any] = {  # noqa: RUF012 - a test's own table
        "model": LITE,
        "messages": [HI],
        "tools": [chat_tool("read"), chat_tool("write")],
    }

    @pytest.mark.parametrize(
        "choice", ["required", {"type": "function", "function": {"name": "read"}}]
    )
    def test_a_lite_model_is_asked_in_the_classic_shape(self, choice: object) -> None:
        translated = asked({**self.BODY, "tool_choice": choice})

        assert translated.request.shape is Shape.CLASSIC
        assert broken_rule(translated.request) is None

    def test_in_lite_a_named_tool_is_the_only_one_offered(self) -> None:
        choice = {"type": "function", "function": {"name": "read"}}
        request = asked({**self.BODY, "tool_choice": choice}).request.in_shape(Shape.LITE)

        assert wire(request)["input"][0]["tools"][0]["tools"] == [tool("read")]
        assert wire(request)["tool_choice"] == "auto"

    def test_in_lite_required_offers_all(self) -> None:
        request = asked({**self.BODY, "tool_choice": "required"}).request.in_shape(Shape.LITE)

        assert len(request.body()["input"][0]["tools"][0]["tools"]) == 2

    def test_in_lite_none_offers_none(self) -> None:
        translated = asked({**self.BODY, "tool_choice": "none"})

        assert translated.request.shape is Shape.LITE
        assert translated.request.body()["input"] == [user("hi")]

    def test_in_lite_allowed_tools_are_the_only_ones_offered(self) -> None:
        choice = {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "required", "tools": [chat_tool("write")]},
        }
        translated = asked({**self.BODY, "tool_choice": choice})
        lite = translated.request.in_shape(Shape.LITE)

        assert translated.request.body()["tool_choice"] == {
            "type": "allowed_tools",
            "mode": "required",
            "tools": [{"type": "function", "name": "write"}],
        }
        assert wire(lite)["input"][0]["tools"][0]["tools"] == [tool("write")]

    @pytest.mark.parametrize("version", ["web_search", "web_search_preview_2025_03_11"])
    def test_web_search_takes_the_classic_shape(self, version: str) -> None:
        translated = asked({**self.BODY, "tools": [chat_tool("read"), {"type": version}]})

        assert translated.dropped == ()
        assert translated.request.shape is Shape.CLASSIC
        assert translated.request.body()["tools"][1] == {"type": "web_search"}
        lite = translated.request.in_shape(Shape.LITE)
        assert "web_search" not in lite.encode().decode()

    def test_web_search_that_must_not_be_called_does_not(self) -> None:
        body = {**self.BODY, "tools": [{"type": "web_search"}], "tool_choice": "none"}

        assert asked(body).request.shape is Shape.LITE

    def test_several_calls_at_once_take_the_classic_shape(self) -> None:
        body = {**self.BODY, "tools": [chat_tool("read")]}

        assert sent({**body, "parallel_tool_calls": True})["parallel_tool_calls"] is True
        assert asked({**body, "parallel_tool_calls": False}).request.shape is Shape.LITE
        without = {"model": LITE, "messages": [HI], "parallel_tool_calls": True}
        assert asked(without).request.shape is Shape.LITE

    def test_web_search_that_is_named_takes_the_classic_shape(self) -> None:
        body = {
            **self.BODY,
            "tools": [{"type": "web_search_preview"}],
            "tool_choice": {"type": "web_search_preview"},
        }
        request = asked(body).request

        assert request.shape is Shape.CLASSIC
        assert request.tool_choice == {"type": "web_search"}


@pytest.mark.parametrize(
    ("options", "search"),
    [
        ({}, {"type": "web_search"}),
        (
            {
                "search_context_size": "low",
                "user_location": {"type": "approximate", "approximate": {"country": "DE"}},
            },
            {
                "type": "web_search",
                "search_context_size": "low",
                "user_location": {"type": "approximate", "country": "DE"},
            },
        ),
        ({"search_context_size": 7, "user_location": "x"}, {"type": "web_search"}),
    ],
)
@pytest.mark.parametrize("model", [CLASSIC, LITE])
def test_options_of_a_web_search_in_chat_ask_for_one(model: str, options: Any, search: Any) -> None:
    body = sent({"model": model, "messages": [HI], "web_search_options": options})

    assert body["tools"] == [search]


@pytest.mark.parametrize("options", [None, False, "low", []])
def test_other_values_ask_for_no_search(options: Any) -> None:
    assert "tools" not in sent({"messages": [HI], "web_search_options": options})
