"""What a request asks of its answer: the options that its translation back needs."""

from typing import Any

import pytest
from support.askings import (
    HI,
    asked,
    chat_call,
    chat_tool,
)

from codex_proapi.gateway.errors import UnknownModel
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.request.translated_request import (
    RequestOptions,
)
from codex_proapi.gateway.translation.responses.options import ResponseOptions


def answer(body: dict[str, Any]) -> ChatOptions:
    """What a chat body asks of its answer."""
    options = asked(body).answer
    assert isinstance(options, ChatOptions)
    return options


class TestWhatTheAnswerNeeds:
    def test_the_asked_name_is_echoed(self) -> None:
        assert asked({"model": "openai/GPT-5.5-high", "messages": [HI]}).asked_model == (
            "openai/GPT-5.5-high"
        )

    def test_without_a_name_the_keys_default_is_asked(self) -> None:
        options = RequestOptions(default_model="gpt-5.6-luna")
        translated = asked({"model": None, "messages": [HI]}, options=options)

        assert (translated.asked_model, translated.request.model) == ("gpt-5.6-luna",) * 2

    def test_without_any_name_the_best_model_is_asked_and_echoed(self) -> None:
        translated = asked({"model": None, "messages": [HI]})

        assert (translated.asked_model, translated.request.model) == ("gpt-6.2-sol",) * 2

    def test_an_unknown_name_is_refused(self) -> None:
        with pytest.raises(UnknownModel, match="The model 'gpt-2' does not exist") as refused:
            asked({"model": "gpt-2", "messages": [HI]})

        assert refused.value.param == "model"

    def test_an_unknown_name_means_the_keys_default_where_it_has_one(self) -> None:
        options = RequestOptions(default_model="gpt-5.6-luna")
        translated = asked({"model": "gpt-2", "messages": [HI]}, options=options)

        assert (translated.asked_model, translated.request.model) == ("gpt-2", "gpt-5.6-luna")
        with pytest.raises(UnknownModel):
            asked({"model": None, "messages": [HI]}, options=RequestOptions(default_model="gpt-1"))

    def test_usage_is_wanted_where_asked(self) -> None:
        body = {"messages": [HI], "stream": True, "stream_options": {"include_usage": True}}

        assert answer(body).include_usage
        assert not answer({"messages": [HI]}).include_usage

    def test_functions_are_answered_as_functions(self) -> None:
        parameters = {"type": "object", "properties": {}}
        translated = asked(
            {
                "messages": [HI],
                "functions": [{"name": "read", "parameters": parameters}],
                "function_call": {"name": "read"},
            }
        )

        assert isinstance(translated.answer, ChatOptions)
        assert translated.answer.legacy_functions
        assert translated.request.body()["tool_choice"] == {"type": "function", "name": "read"}
        assert [t.name for t in translated.request.tools] == ["read"]

    def test_tools_beside_functions_win(self) -> None:
        translated = asked(
            {"messages": [HI], "tools": [chat_tool("new")], "functions": [{"name": "old"}]}
        )

        assert translated.answer == ChatOptions()
        assert [t.name for t in translated.request.tools] == ["new"]

    def test_custom_tools_of_chat_are_answered_as_custom(self) -> None:
        declared = {"type": "custom", "custom": {"name": "patch", "description": "d"}}

        assert answer({"messages": [HI], "tools": [declared]}).custom_tools == {"patch"}
        translated = asked({"input": "hi", "tools": [declared]}, endpoint="responses")
        assert isinstance(translated.answer, ResponseOptions)

    def test_a_schema_makes_refusals_refusals(self) -> None:
        form = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}

        assert answer({"messages": [HI], "response_format": form}).refusal_as_refusal
        assert not answer({"messages": [HI]}).refusal_as_refusal

    def test_names_that_were_shortened_can_be_restored(self) -> None:
        long = "mcp__server__" + "x" * 80
        translated = asked(
            {
                "messages": [HI, {"role": "assistant", "tool_calls": [chat_call("c", "päth")]}],
                "tools": [chat_tool(long)],
                "tool_choice": {"type": "function", "function": {"name": long}},
            }
        )
        body = translated.request.body()

        assert translated.tool_names[body["tools"][0]["name"]] == long
        assert body["tool_choice"]["name"] == body["tools"][0]["name"]
        assert translated.tool_names[body["input"][1]["name"]] == "päth"

    def test_stop_is_carried(self) -> None:
        assert answer({"messages": [HI], "stop": ["a", "", "b"]}).stop == ("a", "b")

    def test_responses_are_kept_unless_the_client_says_no(self) -> None:
        def kept(**rest: Any) -> bool:
            return asked({"input": "hi", **rest}, endpoint="responses").store

        assert (kept(), kept(store=True), kept(store=False)) == (True, True, False)
        assert not asked({"messages": [HI], "store": True}).store
