"""An answer in one piece: passed on, or an error that another account may mend."""

from typing import Any

import pytest

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.errors import BadRequest, UpstreamFault
from codex_proapi.gateway.translation.unary.answer import UnaryAnswer, UnaryOptions

LISTED = UnaryOptions(listed="data")


def test_a_body_passes_byte_for_byte_and_its_usage_is_read() -> None:
    body = b'{"data": [ {} ],\n"usage":{"input_tokens":3,"output_tokens":4}, "more": 1}'
    answer = UnaryAnswer(LISTED)

    assert (answer.done, answer.feed(body), answer.done) == (False, b"", True)
    assert answer.finish() == body
    assert answer.report.ending is Ending.WHOLE
    assert answer.report.tokens is not None
    assert answer.report.tokens.total == 7


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[]", "upstream_malformed"),
        (b"<html>", "upstream_malformed"),
        (b"\xff", "upstream_malformed"),
        (b"{}", "upstream_malformed"),
        (b'{"data":{}}', "upstream_malformed"),
        (b'{"data":[ ]}', "upstream_empty_answer"),
    ],
)
def test_an_answer_without_what_was_asked_for_is_a_fault_of_upstream(
    body: bytes, code: Any
) -> None:
    answer = UnaryAnswer(LISTED)

    with pytest.raises(UpstreamFault):
        answer.feed(body)

    assert (answer.report.ending, answer.report.code) == (Ending.BROKEN, code)
    assert not answer.done


def test_a_search_needs_no_list_and_a_fault_is_raised() -> None:
    answer = UnaryAnswer(UnaryOptions())
    answer.feed(b"{}")

    assert answer.report.tokens is None
    with pytest.raises(BadRequest):
        answer.fail(BadRequest("no", code="invalid_body"))
