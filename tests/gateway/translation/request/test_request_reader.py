"""Whole bodies in, whole upstream bodies out: the rules that concern a request as such."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.askings import (
    CATALOGUE,
    CODEX,
    LITE,
    NOBODY,
    PIXEL,
    READERS,
    asked,
    assistant,
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
from support.bodies import ANY_OBJECTS, ENDPOINTS, LIKELY_BODIES
from support.upstream_rules import broken_rule

from codex_proapi.gateway.errors import BadRequest, UnknownModel
from codex_proapi.gateway.formats.codex.requests import Shape
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    HistoryMode,
    RequestOptions,
    TranslatedRequest,
)
from codex_proapi.gateway.translation.responses.options import ResponseOptions

HI = {"role": "user", "content": "hi"}


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    """A body without the names derived from its conversation."""
    return {name: value for name, value in body.items() if name != "prompt_cache_key"}


def answer(body: dict[str, Any]) -> ChatOptions:
    """What a chat body asks of its answer."""
    options = asked(body).answer
    assert isinstance(options, ChatOptions)
    return options


def test_a_chat_request_becomes_a_classic_one() -> None:
    body = sent(
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Read a.txt"},
                {"role": "assistant", "content": None, "tool_calls": [chat_call("c1", "read")]},
                {"role": "tool", "tool_call_id": "c1", "content": "text"},
            ],
            "tools": [chat_tool("read")],
            "tool_choice": "auto",
            "parallel_tool_calls": False,
            "reasoning_effort": "high",
            "max_tokens": 100,
            "temperature": 0,
            "stream": True,
        }
    )

    assert _plain(body) == {
        "model": "gpt-5.5",
        "stream": True,
        "instructions": "",
        "input": [
            developer("Be brief."),
            user("Read a.txt"),
            call("c1", "read"),
            result("c1", "text"),
        ],
        "tools": [tool("read")],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "high"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }


def test_a_chat_request_becomes_a_lite_one_where_the_model_wants_it() -> None:
    translated = asked(
        {
            "model": LITE,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}
                    ],
                },
            ],
            "tools": [chat_tool("read")],
        }
    )

    assert translated.request.shape is Shape.LITE
    assert _plain(msgspec.json.decode(translated.request.encode())) == {
        "model": LITE,
        "stream": True,
        "input": [
            {
                "type": "additional_tools",
                "id": f"at_{translated.request.session_id}",
                "role": "developer",
                "tools": [
                    {
                        "type": "namespace",
                        "name": "functions",
                        "description": "",
                        "tools": [tool("read")],
                    }
                ],
            },
            developer("Be brief."),
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_image", "image_url": PIXEL}],
            },
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"context": "all_turns", "effort": "low"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }


def test_a_responses_request_keeps_its_instructions_and_loses_what_is_not_upstreams() -> None:
    body = sent(
        {
            "instructions": "Be brief.",
            "input": [
                {"role": "system", "content": [{"type": "input_text", "text": "More."}]},
                {"type": "message", "role": "user", "content": "hi", "id": "msg_1", "status": "x"},
                {
                    "type": "message",
                    "id": "msg_123",
                    "role": "assistant",
                    "status": "completed",
                    "content": [{"type": "output_text", "text": "hello", "annotations": []}],
                },
            ],
            "store": True,
            "truncation": "auto",
            "top_logprobs": 3,
            "max_output_tokens": 100,
            "text": {"verbosity": "low"},
            "reasoning": {"effort": "low", "summary": "auto"},
            "include": ["web_search_call.action.sources"],
        },
        endpoint="responses",
    )

    assert _plain(body) == {
        "model": "gpt-5.5",
        "stream": True,
        "instructions": "Be brief.",
        "input": [developer("More."), user("hi"), assistant("hello")],
        "reasoning": {"effort": "low", "summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "text": {"verbosity": "low"},
    }


def test_lite_says_instructions_as_the_developer() -> None:
    body = sent(
        {"model": LITE, "instructions": "Be brief.", "input": "hi"},
        endpoint="responses",
    )

    assert "instructions" not in body
    assert body["input"] == [developer("Be brief."), user("hi")]


def test_instructions_that_are_null_become_empty() -> None:
    assert sent({"instructions": None, "input": "hi"}, endpoint="responses")["instructions"] == ""


@pytest.mark.parametrize("value", [True, False, None])
def test_upstream_always_streams_and_never_stores(value: bool | None) -> None:
    translated = asked({"input": "hi", "stream": value, "store": value}, endpoint="responses")
    body = translated.request.body()

    assert (body["stream"], body["store"]) == (True, False)
    assert translated.stream is (value is True)


def test_what_was_left_out_is_named() -> None:
    translated = asked(
        {
            "messages": [HI],
            "max_tokens": 5,
            "temperature": 1,
            "user": "u",
            "metadata": {"a": "b"},
            "x y": 1,
            "seed": None,
            "n": 1,
            "include": ["message.output_text.logprobs", "reasoning.encrypted_content", 7],
        }
    )

    assert translated.dropped == (
        "max_tokens",
        "temperature",
        "user",
        "metadata",
        "unknown",
        "include.message.output_text.logprobs",
    )


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

        assert (translated.asked_model, translated.request.model) == ("gpt-6.1-sol",) * 2

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
        assert answer({"messages": [HI], "stop": ["a", "", 7, "b"]}).stop == ("a", "b")

    def test_responses_are_kept_unless_the_client_says_no(self) -> None:
        def kept(**rest: Any) -> bool:
            return asked({"input": "hi", **rest}, endpoint="responses").store

        assert (kept(), kept(store=True), kept(store=False)) == (True, True, False)
        assert not asked({"messages": [HI], "store": True}).store


def test_what_only_names_its_items_waits_for_them() -> None:
    translated = asked(
        {"input": [{"type": "item_reference", "id": "msg_1"}], "previous_response_id": "resp_1"},
        endpoint="responses",
    )

    assert translated.unresolved
    assert (translated.previous_response_id, translated.references) == ("resp_1", ("msg_1",))
    assert translated.history == ()


def test_a_previous_response_alone_is_enough_to_go_on() -> None:
    assert asked({"previous_response_id": "resp_1"}, endpoint="responses").unresolved


def test_an_object_asked_for_without_the_word_is_asked_for_in_words() -> None:
    form = {"type": "json_object"}

    assert items(HI, response_format=form) == [
        developer("Answer with one JSON object."),
        user("hi"),
    ]
    assert items({"role": "user", "content": "some Json"}, response_format=form) == [
        user("some Json")
    ]


class TestCodex:
    def test_its_request_passes_but_for_what_is_forbidden(self) -> None:
        entries = [
            {
                "type": "message",
                "id": "msg_1",
                "role": "developer",
                "content": [{"type": "input_text", "text": "base"}],
                "internal_chat_message_metadata_passthrough": {"turn_id": "t"},
            },
            {"type": "something_new", "id": "sn_1", "x": 1},
        ]
        tools = [
            {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]},
            {"type": "tool_search", "execution": "client"},
        ]
        body = {
            "model": "gpt-5.5",
            "stream": True,
            "input": entries,
            "tools": tools,
            "tool_choice": "auto",
            "parallel_tool_calls": True,
            "reasoning": {"effort": "ultra", "summary": None},
            "store": True,
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": "thread-1",
            "text": {"verbosity": "low"},
            "service_tier": "priority",
            "client_metadata": {"a": "b", "c": 1},
            "truncation": "auto",
        }
        translated = asked(body, endpoint="responses", client=CODEX)

        assert translated.verbatim
        assert translated.dropped == ("truncation",)
        assert msgspec.json.decode(translated.request.encode()) == {
            **{name: value for name, value in body.items() if name != "truncation"},
            "reasoning": {"effort": "xhigh"},
            "store": False,
            "client_metadata": {"a": "b"},
        }

    def test_its_lite_request_stays_lite_and_its_own(self) -> None:
        tools = {
            "type": "namespace",
            "name": "functions",
            "tools": [{"type": "function", "name": "f"}],
        }
        entries = [
            {"type": "additional_tools", "id": "at_1", "role": "developer", "tools": [tools]},
            user("hi"),
            {**call("c", "f"), "namespace": "functions"},
            result("c", "done"),
        ]
        reasoning = {"effort": "low", "context": "all_turns"}
        body = {"model": LITE, "input": entries, "reasoning": reasoning}
        request = asked(body, endpoint="responses", client=CODEX).request

        assert request.shape is Shape.LITE
        assert request.body()["input"] == entries
        classic = wire(request.in_shape(Shape.CLASSIC))
        assert classic["tools"] == [{"type": "function", "name": "f"}]
        assert classic["input"] == [user("hi"), call("c", "f"), result("c", "done")]
        assert classic["reasoning"] == {"effort": "low"}

    def test_its_lite_header_makes_it_lite(self) -> None:
        client = ClientTraits(is_codex=True, lite=True)
        body = {"model": LITE, "input": [user("hi")]}

        assert asked(body, endpoint="responses", client=client).request.shape is Shape.LITE

    def test_its_classic_request_stays_classic(self) -> None:
        body = {"model": LITE, "input": [user("hi")], "tools": [{"type": "web_search"}]}

        assert asked(body, endpoint="responses", client=CODEX).request.shape is Shape.CLASSIC

    def test_a_lite_request_for_a_model_without_lite_becomes_classic(self) -> None:
        tool_list = [{"type": "function", "name": "f"}]
        entries = [
            {"type": "additional_tools", "role": "developer", "tools": tool_list},
            user("hi"),
        ]
        body = sent({"input": entries}, endpoint="responses", client=CODEX)

        assert body["tools"] == tool_list
        assert body["input"] == [user("hi")]

    def test_a_suffix_of_the_model_speaks_for_it_too(self) -> None:
        body = {"model": "gpt-5.5-high-fast", "input": [user("hi")], "service_tier": "default"}
        found = sent(body, endpoint="responses", client=CODEX)

        assert (found["reasoning"], found["service_tier"]) == ({"effort": "high"}, "priority")

    def test_a_standard_tier_is_not_sent(self) -> None:
        body = {"input": [user("hi")], "service_tier": "auto"}

        assert "service_tier" not in sent(body, endpoint="responses", client=CODEX)

    def test_its_fast_tier_is_priority(self) -> None:
        body = {"input": [user("hi")], "service_tier": "fast"}

        assert sent(body, endpoint="responses", client=CODEX)["service_tier"] == "priority"

    @pytest.mark.parametrize("tier", ["a\nb", "schnell\u00e9\u4e2d", "x" * 65, " "])
    def test_a_tier_that_is_no_word_is_refused_for_it_becomes_a_header(self, tier: str) -> None:
        with pytest.raises(BadRequest) as refused:
            asked({"input": [user("hi")], "service_tier": tier}, endpoint="responses", client=CODEX)

        assert refused.value.param == "service_tier"

    def test_on_the_chat_route_it_is_a_client_like_any_other(self) -> None:
        assert not asked({"messages": [HI]}, client=CODEX).verbatim


class TestCompaction:
    def test_the_old_route_becomes_a_request_that_ends_with_the_trigger(self) -> None:
        translated = asked({"input": [user("hi")]}, endpoint="compact")

        assert translated.request.input == (user("hi"), {"type": "compaction_trigger"})
        assert translated.request.compacts
        assert isinstance(translated.answer, ResponseOptions)
        assert (translated.answer.compact, translated.stream) == (True, False)
        assert broken_rule(translated.request) is None

    def test_a_trigger_that_is_there_stays_the_only_one(self) -> None:
        trigger = {"type": "compaction_trigger"}
        entries = [user("hi"), trigger, trigger]

        for client in (NOBODY, CODEX):
            for endpoint in ("compact", "responses"):
                found = sent({"input": entries}, endpoint=endpoint, client=client)
                assert found["input"] == [user("hi"), trigger]

    def test_nothing_to_compact_is_refused(self) -> None:
        with pytest.raises(BadRequest):
            asked({"input": []}, endpoint="compact")


def test_a_transcript_is_sent_where_settings_want_one() -> None:
    options = RequestOptions(history_mode=HistoryMode.TRANSCRIPT)
    translated = asked(
        {"messages": [{"role": "system", "content": "S"}, HI], "tools": [chat_tool("f")]},
        options=options,
    )

    assert list(translated.request.input) == [user("System: S\nUser: hi")]
    assert list(translated.history) == [developer("S"), user("hi")]
    assert [t.name for t in translated.request.tools] == ["f"]


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b'{"a":1e999}', b"\xff", b'{"a":"\xff"}'])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        asked(body)

    assert refused.value.param


def test_what_cannot_be_read_deep_inside_is_refused() -> None:
    body = b'{"model":"gpt-5.5","messages":"hi","tools":[{"type":"function","name":1e999}]}'

    with pytest.raises(BadRequest) as refused:
        asked(body)

    assert refused.value.param == "body"


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=LIKELY_BODIES, endpoint=ENDPOINTS, mode=st.sampled_from(HistoryMode))
def test_any_likely_body_is_refused_with_its_culprit_or_keeps_upstreams_rules(
    body: dict[str, Any], endpoint: Any, mode: HistoryMode
) -> None:
    before = json.dumps(body)
    options = RequestOptions(history_mode=mode)
    try:
        translated = READERS[endpoint](body, catalogue=CATALOGUE, options=options, client=NOBODY)
    except (BadRequest, UnknownModel) as refused:
        culprit = refused.param
    else:
        culprit = "none"
        _check(translated, body, before)

    assert culprit


def _check(translated: TranslatedRequest, body: dict[str, Any], before: str) -> None:
    assert json.dumps(body) == before
    request = translated.request
    for each in (request, request.in_shape(request.shape.other), request.without_encrypted()):
        if not (each.shape is Shape.LITE and "5.5" in each.model):
            assert _rule(each) is None
    originals = {translated.tool_names.get(t.name, t.name) for t in request.tools}
    assert len(originals) == len(request.tools)


def _rule(request: Any) -> str | None:
    """The broken rule, apart from an input that was nothing but secrets."""
    return broken_rule(request) if request.body()["input"] else None


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    body=ANY_OBJECTS,
    endpoint=ENDPOINTS,
    client=st.sampled_from([NOBODY, CODEX]),
)
def test_any_json_at_all_is_translated_or_refused_with_its_culprit(
    body: dict[str, Any], endpoint: Any, client: ClientTraits
) -> None:
    try:
        translated = READERS[endpoint](
            body, catalogue=CATALOGUE, options=RequestOptions(), client=client
        )
    except (BadRequest, UnknownModel) as refused:
        culprit = refused.param
    else:
        culprit = "none"
        translated.request.encode()
        translated.request.in_shape(translated.request.shape.other).encode()

    assert culprit
