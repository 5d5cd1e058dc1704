"""What a response object says of its answer, read in one step or field by field."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import upstream_says as says

from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.translation.stream import response_facts
from codex_proapi.gateway.translation.stream.response_facts import (
    NAME_LIMIT,
    RESPONSE_FIELDS,
    ResponseFacts,
    facts_of,
)

_VALUES: st.SearchStrategy[Any] = st.sampled_from(
    ["x", "y" * (NAME_LIMIT + 1), "\ud83d", 1, None, True, [], {}, {"reason": "r"}, says.USAGE]
)
_USAGES = st.sampled_from(
    [
        says.USAGE,
        {"input_tokens": 1, "output_tokens": 2},
        {"input_tokens": 1, "output_tokens": 2, "cost": {}, "mood_tokens": 3},
        {"input_tokens": -1, "output_tokens": "2"},
        None,
        7,
    ]
)
_RESPONSES = st.fixed_dictionaries(
    {},
    optional={
        "id": st.just("resp_1") | _VALUES,
        "model": st.just("gpt-5.5") | _VALUES,
        "usage": _USAGES | _VALUES,
        "output": _VALUES,
        "instructions": _VALUES,
        "mood": _VALUES,
    },
)


@given(_RESPONSES, st.sampled_from([b"", b" ", b"x"]))
def test_facts_read_in_one_step_are_as_those_read_field_by_field(
    response: Any, after: bytes
) -> None:
    data = json.dumps(response).encode() + after
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(response_facts, "_read_plain", msgspec.json.Decoder(int).decode)
        expected = facts_of(data)

    assert facts_of(data) == expected


def test_a_response_with_every_known_field_is_read_in_one_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fields = {**dict.fromkeys(RESPONSE_FIELDS), "id": "resp_1", "model": "m", "usage": says.USAGE}
    monkeypatch.delattr(response_facts, "_facts_of_any")

    assert facts_of(json.dumps(fields).encode()) == ResponseFacts(
        "resp_1", "m", Tokens(input=100, cached=80, cache_write=8, output=20, reasoning=5)
    )


def test_an_unknown_field_is_named() -> None:
    usage = {**says.USAGE, "mood_tokens": 1}

    assert facts_of(json.dumps({"mood": 1, "usage": usage}).encode()).unknown_fields == (
        "mood",
        "usage.mood_tokens",
    )


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null"])
def test_what_is_no_object_says_nothing(data: bytes) -> None:
    assert facts_of(data) == ResponseFacts()
