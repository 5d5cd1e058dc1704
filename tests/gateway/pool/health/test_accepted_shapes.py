from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from support.clock import Clock
from support.leases import a_request

from codex_proapi.gateway.formats.codex.requests import Shape, Tool, UpstreamRequest
from codex_proapi.gateway.formats.codex.tool_search import Search
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.pool.health.accepted_shapes import (
    MOST_REMEMBERED,
    REMEMBERED_SECONDS,
    AcceptedShapes,
)

SEARCH = Tool(type="web_search", definition={"type": "web_search"})


def a_search(**fields: Any) -> UpstreamRequest:
    return a_request(tools=(SEARCH,), **fields)


def shapes(clock: Any = None) -> AcceptedShapes:
    return AcceptedShapes(clock or Clock(), Metrics(CollectorRegistry()))


def test_what_was_answered_in_the_other_shape_is_sent_in_it_for_half_an_hour() -> None:
    clock = Clock()
    known = shapes(clock)
    known.note("chatgpt", a_search().in_shape(Shape.LITE))

    assert known.fitted("chatgpt", a_search()).shape is Shape.LITE
    clock.pass_(REMEMBERED_SECONDS)
    assert known.fitted("chatgpt", a_search()).shape is Shape.CLASSIC


@pytest.mark.parametrize(
    ("kind", "request_"),
    [
        ("another", a_search()),
        ("chatgpt", a_search(model="gpt-6-sol")),
        ("chatgpt", a_request()),
    ],
)
def test_a_refusal_says_nothing_of_other_kinds_models_and_requests(
    kind: str, request_: UpstreamRequest
) -> None:
    known = shapes()
    known.note("chatgpt", a_search().in_shape(Shape.LITE))

    assert known.fitted(kind, request_) is request_


def test_the_last_answer_counts() -> None:
    known = shapes()
    known.note("chatgpt", a_search().in_shape(Shape.LITE))
    known.note("chatgpt", a_search())

    assert known.fitted("chatgpt", a_search()).shape is Shape.CLASSIC


def test_the_oldest_is_forgotten_where_there_are_too_many() -> None:
    known = shapes()
    for number in range(MOST_REMEMBERED + 1):
        known.note("chatgpt", a_search(model=f"m{number}").in_shape(Shape.LITE))

    kept = [
        number
        for number in range(MOST_REMEMBERED + 1)
        if known.fitted("chatgpt", a_search(model=f"m{number}")).shape is Shape.LITE
    ]
    assert kept == list(range(1, MOST_REMEMBERED + 1))


def test_a_refused_tool_search_is_text_for_half_an_hour() -> None:
    clock = Clock()
    known = shapes(clock)
    native = a_request(tool_search=Search())
    known.note_search("chatgpt", native.model)

    assert known.without_refused_search("chatgpt", native).tool_search is None
    assert known.without_refused_search("another", native) is native
    clock.pass_(REMEMBERED_SECONDS)
    assert known.without_refused_search("chatgpt", native) is native


def test_refused_tool_searches_are_bounded() -> None:
    known = shapes()
    for number in range(MOST_REMEMBERED + 1):
        known.note_search("chatgpt", f"m{number}")

    first, last = (a_request(model=f"m{n}", tool_search=Search()) for n in (0, MOST_REMEMBERED))
    assert known.without_refused_search("chatgpt", first) is first
    assert known.without_refused_search("chatgpt", last).tool_search is None
