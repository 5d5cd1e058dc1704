"""Fields of a request body: lenient where clients are, clear where nothing can be meant."""

from typing import Any

import pytest

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.anthropic.request import (
    message_list,
    safeguard_types,
    session_of,
    stop_sequences,
    system_texts,
)
from codex_proapi.gateway.formats.client_body import decode_body


@pytest.mark.parametrize(
    ("system", "texts"),
    [
        (None, []),
        ("a", ["a"]),
        ([{"type": "text", "text": "a", "cache_control": {}}, "b"], ["a", "b"]),
    ],
)
def test_system(system: Any, texts: list[str]) -> None:
    assert system_texts(decode_body({"system": system})) == texts


@pytest.mark.parametrize(
    ("system", "param"), [(7, "system"), ([{"type": "image"}], "system.0"), ([7], "system.0")]
)
def test_system_of_another_kind_is_refused(system: Any, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        system_texts(decode_body({"system": system}))

    assert caught.value.param == param


@pytest.mark.parametrize("messages", [None, "hi", [], {}])
def test_messages_are_a_list_with_something_in_it(messages: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        message_list(decode_body({"messages": messages}))

    assert caught.value.param == "messages"


def test_message_is_an_object() -> None:
    with pytest.raises(BadRequest) as caught:
        message_list(decode_body({"messages": [{"role": "user"}, "hi"]}))

    assert caught.value.param == "messages.1"


def test_stop_sequences() -> None:
    assert stop_sequences(decode_body({})) == ()
    assert stop_sequences(decode_body({"stop_sequences": ["a", "", "b"]})) == ("a", "b")


@pytest.mark.parametrize("wrong", ["a", [1], {"a": 1}, ["s"] * 17, ["s" * 1001]])
def test_stop_sequences_are_strings(wrong: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        stop_sequences(decode_body({"stop_sequences": wrong}))

    assert caught.value.param == "stop_sequences"


@pytest.mark.parametrize(
    ("user_id", "session"),
    [
        ('{"device_id":"d","account_uuid":"","session_id":"s-1"}', "s-1"),
        ("user_ab12_account__session_0f0f-1", "0f0f-1"),
        ("somebody", None),
        ("user_session_", None),
        ('{"device_id":"d"}', None),
        ('{"session_id":7}', None),
        ("{broken", None),
        ("{" * 5000, None),
        (7, None),
    ],
)
def test_session_in_the_user_id(user_id: Any, session: str | None) -> None:
    assert session_of(decode_body({"metadata": {"user_id": user_id}})) == session


def test_session_without_metadata() -> None:
    assert session_of(decode_body({})) is None
    assert session_of(decode_body({"metadata": "x"})) is None


def test_safeguards() -> None:
    body = {"safeguards": [{"type": "dangerous_tool_use"}, 7, {"type": 1}, {}]}

    assert safeguard_types(decode_body(body)) == ("dangerous_tool_use",)
    assert safeguard_types(decode_body({"safeguards": "x"})) == ()
