"""Requests of Codex itself pass but for what is forbidden, and its compaction route."""

import msgspec
import pytest
from support.askings import (
    CODEX,
    HI,
    LITE,
    NOBODY,
    asked,
    call,
    result,
    sent,
    user,
    wire,
)
from support.upstream_rules import broken_rule

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.codex.requests import Shape
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
)
from codex_proapi.gateway.translation.responses.options import ResponseOptions


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

    @pytest.mark.parametrize("tier", ["auto", "default", "standard", "Default", "", None])
    def test_a_standard_tier_is_not_sent(self, tier: str | None) -> None:
        body = {"input": [user("hi")], "service_tier": tier}

        assert "service_tier" not in sent(body, endpoint="responses", client=CODEX)

    @pytest.mark.parametrize("tier", ["fast", "Fast", "Priority"])
    def test_its_fast_tier_is_priority(self, tier: str) -> None:
        body = {"input": [user("hi")], "service_tier": tier}

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
