"""What of a chat body its answer must know."""

from typing import Any

import pytest
from support.askings import asked

from codex_proapi.gateway.translation.chat.options import ChatOptions


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (None, False),
        ({}, False),
        ({"include_usage": True}, True),
        ({"include_usage": 1}, False),
        (7, False),
    ],
)
def test_who_wants_usage(options: Any, wanted: bool) -> None:
    translated = asked({"messages": "hi", "stream_options": options})

    assert translated.answer == ChatOptions(include_usage=wanted)


@pytest.mark.parametrize(
    ("form", "structured"),
    [
        ({"type": "json_object"}, True),
        ({"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}, True),
        ({"type": "text"}, False),
        (None, False),
    ],
)
def test_a_json_answer_is_known_as_such(form: Any, structured: bool) -> None:
    answer = asked({"messages": "hi", "response_format": form}).answer

    assert isinstance(answer, ChatOptions)
    assert answer.structured is structured
