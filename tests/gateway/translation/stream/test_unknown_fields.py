"""Fields of a response object that are not known; captured answers have none."""

import json

import pytest

from codex_proapi.gateway.formats.codex.events import ResponseCompleted, decode_event
from codex_proapi.gateway.translation.stream.response_facts import unknown_fields
from codex_proapi.gateway.translation.stream.response_observer import observe
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport


@pytest.mark.parametrize(
    ("response", "names"),
    [
        (b'{"id":"r","usage":{"input_tokens":1}}', []),
        (b'{"id":"r","mood":1,"usage":{"mood_tokens":1}}', ["mood", "usage.mood_tokens"]),
        (b'{"id":"r","usage":null}', []),
        (b"[]", []),
        (b"", []),
        (b"{", []),
        (json.dumps({f"f{n:03}": 1 for n in range(99)}).encode(), [f"f{n:03}" for n in range(32)]),
    ],
)
def test_names_of_unknown_fields(response: bytes, names: list[str]) -> None:
    assert unknown_fields(response) == names


def test_a_report_has_those_of_the_first_and_the_last_event() -> None:
    report = ResponseReport()
    for name, field in (("response.created", "early"), ("response.completed", "late")):
        body = json.dumps({"type": name, "response": {"id": "r", field: 1}}).encode()
        observe(decode_event(name.encode(), body), report)

    assert report.unknown_fields == {"early", "late"}
    assert isinstance(decode_event(b"response.done", b'{"response":{}}'), ResponseCompleted)
