"""A whole body becomes a request: names of conversations, what the answer must know, any JSON."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import askings as up
from support.messages_bodies import SESSION, asked, assistant, sent, text, tool, user
from support.tree import ROOT
from support.upstream_rules import broken_rule

from codex_proapi.gateway.errors import BadRequest, ClientFault, UnknownModel
from codex_proapi.gateway.translation.messages.answer.options import MessagesOptions
from codex_proapi.gateway.translation.messages.answer.tool_arguments import ToolShape
from codex_proapi.gateway.translation.messages.request.read_request import read_messages_request
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    RequestOptions,
)

MAIN = ClientTraits.of({"x-claude-code-session-id": SESSION})
SUB = ClientTraits.of({"x-claude-code-session-id": SESSION, "x-claude-code-agent-id": "a1"})
CLASS = ClientTraits.of({"x-claude-code-request-class": "auxiliary"})


def test_headers_of_claude_code() -> None:
    assert (MAIN.session, MAIN.is_claude_code, MAIN.agent) == (SESSION, True, "")
    assert (SUB.agent, CLASS.request_class) == ("a1", "auxiliary")


def test_session_names_the_conversation_and_its_cache() -> None:
    first = asked({"system": "one"}, client=MAIN)
    later = asked(
        {"system": "two", "messages": [user("hi"), assistant("A"), user("go")]}, client=MAIN
    )

    assert first.fingerprint_source == later.fingerprint_source
    assert first.request.prompt_cache_key == later.request.prompt_cache_key
    assert first.request.session_id == later.request.session_id
    assert first.request.prompt_cache_key == first.request.session_id
    assert not first.begins


def test_sub_agent_is_a_conversation_of_its_own() -> None:
    main, sub = asked({}, client=MAIN), asked({}, client=SUB)

    assert main.request.prompt_cache_key != sub.request.prompt_cache_key
    assert main.fingerprint_source != sub.fingerprint_source


def test_session_of_the_metadata_stands_in_for_the_header() -> None:
    body = {"metadata": {"user_id": json.dumps({"session_id": SESSION})}}

    assert asked(body).fingerprint_source == asked({}, client=MAIN).fingerprint_source


def test_keys_do_not_share_a_conversation() -> None:
    other = RequestOptions(key_id="key_2")

    assert asked({}, client=MAIN, options=other).fingerprint_source != (
        asked({}, client=MAIN).fingerprint_source
    )


def test_billing_block_does_not_move_a_conversation() -> None:
    def named(version: str) -> str:
        block = text(f"x-anthropic-billing-header: cc_version={version};")
        return asked({"system": [block, text("You are")]}).fingerprint_source

    assert named("1") == named("2")


def test_what_the_answer_must_know() -> None:
    translated = asked(
        {
            "model": "claude-opus-5-5[1m]",
            "stream": True,
            "stop_sequences": ["STOP"],
            "tools": [tool("A")],
            "safeguards": [{"type": "dangerous_tool_use"}],
            "thinking": {"type": "adaptive", "display": "omitted"},
        },
        client=MAIN,
    )
    answer = translated.answer

    assert isinstance(answer, MessagesOptions)
    assert (translated.asked_model, translated.stream) == ("claude-opus-5-5[1m]", True)
    assert translated.request.model == "gpt-6.2-sol"
    assert (answer.thinking, answer.summaries, answer.stop) == (True, False, ("STOP",))
    assert answer.safeguards == ("dangerous_tool_use",)
    assert answer.claude_code
    assert answer.input_tokens > 0
    assert answer.tool_shapes == {"A": ToolShape(optional=frozenset({"path"}))}


def test_nothing_of_the_dialect_reaches_upstream() -> None:
    body = sent(
        {
            "max_tokens": 1,
            "temperature": 0,
            "top_p": 1,
            "metadata": {"user_id": "u"},
            "system": [text("a", cache_control={"type": "ephemeral"})],
            "tools": [tool("A", cache_control={"type": "ephemeral"})],
            "messages": [user(text("a", cache_control={"type": "ephemeral"}, citations=[]))],
        }
    )

    assert b"cache_control" not in msgspec.json.encode(body)
    assert body.keys() == {
        *("model", "stream", "instructions", "input", "tools", "tool_choice", "reasoning"),
        *("store", "include", "prompt_cache_key"),
    }


def test_unknown_model() -> None:
    with pytest.raises(UnknownModel):
        asked({"model": "claude-x"})


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [7]}, "messages.0"),
        ({"messages": [user("")]}, "messages"),
        ({"model": 7}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"tools": [{"name": ""}]}, "tools[0].name"),
        ({"tools": 7}, "tools"),
        ({"tools": [tool("A", input_schema=7)]}, "tools[0].input_schema"),
        ({"tools": [tool("A")], "tool_choice": {"type": "tool", "name": "B"}}, "tool_choice.name"),
    ],
)
def test_bad_input_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        asked(body)

    assert caught.value.param == param


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"messages":' + b"[" * 5000])
def test_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        asked(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["type", "text", "role", "content", "name", "id", "input", "source", "data", "tool"]
            ),
            inner | st.sampled_from(["text", "image", "tool_use", "tool_result", "document"]),
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["messages", "system", "tools", "tool_choice", "thinking", "output_config", "metadata"]
        ),
        json_values,
    )
)
def test_any_json_is_translated_or_refused(body: dict[str, Any]) -> None:
    try:
        translated = asked(body)
        body = msgspec.json.decode(translated.request.encode())
    except ClientFault:
        return
    assert body["input"]


def _recorded() -> list[Any]:
    found = []
    for path in sorted((ROOT / "tests/corpus").glob("*_msgs*.json")):
        recorded = json.loads(path.read_text())
        if isinstance(recorded["body"], dict):
            found.append(pytest.param(recorded, id=path.stem))
    return found


@pytest.mark.parametrize("model", [up.CLASSIC, up.LITE])
@pytest.mark.parametrize("recorded", _recorded())
def test_recorded_bodies_become_requests_upstream_takes(recorded: Any, model: str) -> None:
    translated = read_messages_request(
        json.dumps({**recorded["body"], "model": model}).encode(),
        catalogue=up.CATALOGUE,
        options=RequestOptions(),
        client=ClientTraits.of({k.lower(): v for k, v in recorded["headers"].items()}),
    )
    request = translated.request

    assert broken_rule(request) is None
    if model == up.LITE:
        assert broken_rule(request.in_shape(request.shape.other)) is None
    assert translated.stream is bool(recorded["body"].get("stream"))
    assert b"billing" not in request.encode()
    assert b"defer_loading" not in request.encode()
    assert b"DeferredToolPlaceholder" not in request.encode()


def test_recordings_are_there() -> None:
    assert len(_recorded()) > 12


def test_what_the_answer_must_know_does_not_keep_the_body() -> None:
    big = tool("A", description="d" * 100_000)
    translated = asked({"tools": [big], "messages": [user("x" * 100_000)]})

    assert len(msgspec.json.encode(translated.answer)) < 1000


@pytest.mark.parametrize("field", ["output_config", "output_format"])
def test_an_answer_that_must_be_json_is_known_as_such(field: str) -> None:
    form = {"type": "json_schema", "schema": {"type": "object", "properties": {}}}
    fields = {field: {"format": form} if field == "output_config" else form}

    answers = [asked(each).answer for each in ({}, fields)]

    assert [isinstance(a, MessagesOptions) and a.structured for a in answers] == [False, True]
