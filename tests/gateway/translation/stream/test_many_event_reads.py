"""Reads of many events, which are taken together, beside the same bytes split into events."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gateway.translation.stream.test_one_event_reads import TRANSLATORS, a_delta
from hypothesis import given
from hypothesis import strategies as st
from support import answers
from support import upstream_says as says
from support.playbook import in_pieces, pumped

from codex_proapi.commons.native import NATIVE
from codex_proapi.gateway.formats.sse import MAX_MESSAGE_BYTES
from codex_proapi.gateway.translation.stream.event_translator import (
    EventTranslator,
    ManyHandler,
)

WORDS = st.text(max_size=4) | st.sampled_from(["", "é😀", '"\\', "],[", "data: x\n\n", "\ud83d"])
Flaw = Callable[[bytes], bytes]


@pytest.fixture(params=[True, False], ids=["compiled", "interpreted"], scope="module", autouse=True)
def compiled(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether compiled code translates them, where it is installed."""
    NATIVE.switch(on=request.param)
    yield request.param
    NATIVE.switch(on=True)


FLAWS: list[Flaw] = [
    lambda event: event.replace(b"\n", b"\r\n"),
    lambda event: event.partition(b"\n")[2],
    lambda event: event.replace(b', "', b',\ndata: "'),
    lambda event: event.replace(b', "', b',\n"', 1),
    lambda event: event.replace(b', "', b',\r"', 1),
    lambda event: event + b"\n",
    lambda event: b"\n" + event,
    lambda event: b": a comment\n\n" + event,
    lambda event: answers.encoded([{"type": "codex.rate_limits", "rate_limits": {}}]) + event,
    lambda event: answers.encoded([{"type": "new.thing", "delta": "x"}]) + event,
    lambda event: event[: len(event) // 2] + event[-2:],
    lambda event: event[: len(event) // 2] + b"\xff" + event[len(event) // 2 :],
    lambda event: event.replace(b"\n\n", b" {}\n\n"),
    lambda event: event.replace(b"\n\n", b", \n\n"),
    lambda event: event.replace(b'"delta": "', b'"delta": null, "x": "'),
    lambda event: event.replace(b'"delta": "', b'"delta": {"delta": "a"}, "x": "'),
    lambda event: event.replace(b"_index", b"_place", 1),
    lambda event: event.replace(b'": 0', b'": 1', 1),
    lambda event: event.replace(b'"item_id": "', b'"item_id": "x'),
    lambda event: event.replace(b'"sequence_number"', b'"number"'),
    lambda event: event + event,
]
KINDS: list[tuple[says.Body, Callable[..., says.Body], says.Body]] = [
    (says.added(says.message()), says.text, says.done(says.message("x"))),
    (says.added(says.reasoning(id_="rs_1")), says.thought, says.done(says.reasoning(id_="rs_1"))),
    (says.added(says.call("t", "", id_="fc_1")), says.arguments, says.completed()),
]


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """An answer of one item in many deltas, some of them flawed."""
    added, delta, done = draw(st.sampled_from(KINDS))
    names = {says.text: "msg_1", says.thought: "rs_1", says.arguments: "fc_1"}
    deltas = [delta(word, item=names[delta]) for word in draw(st.lists(WORDS, max_size=30))]
    first, escaped = draw(st.sampled_from([0, 0, 0, 5])), draw(st.booleans())
    separators = draw(
        st.sampled_from([(",", ":"), (", ", ": ")])
    )  # most flaws are made with blanks
    events = [
        b"event: %b\ndata: %b\n\n"
        % (
            body["type"].encode(),
            json.dumps(
                {**body, "sequence_number": number}, ensure_ascii=escaped, separators=separators
            ).encode(errors="surrogatepass"),
        )
        for number, body in enumerate([says.created(), added, *deltas, done], first)
    ]
    for at, flaw in draw(
        st.lists(st.tuples(st.integers(2, 40), st.sampled_from(FLAWS)), max_size=3)
    ):
        if at < len(events):
            events[at] = flaw(events[at])
    ending = draw(st.sampled_from([[says.completed()], [says.failed()], []]))
    return b"".join([*events, answers.encoded(ending)])


def split(kind: str) -> EventTranslator:
    """A translator that splits every read into events."""
    translator = TRANSLATORS[kind]()
    translator._many = {}  # type: ignore[misc]
    return translator


@pytest.mark.parametrize("kind", TRANSLATORS)
@given(data=streams(), cuts=st.lists(st.integers(0, 6000), max_size=4))
def test_events_taken_together_give_what_they_give_one_by_one(
    kind: str, data: bytes, cuts: list[int]
) -> None:
    together, apart = TRANSLATORS[kind](), split(kind)

    assert pumped(together, in_pieces(data, *cuts)) == pumped(apart, [data])
    assert together.report == apart.report


def opened(kind: str) -> EventTranslator:
    """A translator that knows the kind of the last event."""
    translator = TRANSLATORS[kind]()
    opening = answers.encoded([says.created(), says.added(says.message())])
    translator.feed(opening + a_delta("a", 2))
    return translator


def counted_together(translator: EventTranslator) -> list[int]:
    """How many events interpreted code takes together, each time."""
    taken: list[int] = []

    def counted(many: ManyHandler) -> ManyHandler:
        def handler(self: Any, whole: bytes, payloads: list[bytes]) -> bytes | None:
            taken.append(len(payloads))
            return many(self, whole, payloads)

        return handler

    translator._many = {lines: counted(many) for lines, many in translator._many.items()}  # type: ignore[misc]
    return taken


@pytest.mark.parametrize("kind", TRANSLATORS)
def test_deltas_of_one_kind_are_taken_together_however_they_are_cut(kind: str) -> None:
    translator, alone = opened(kind), []
    handler, slow = translator._handler, translator._slow

    def counted(self: Any, block: bytes) -> bytes | None:
        alone.append(block)
        return handler(self, block)

    translator._handler = counted
    translator._slow = lambda block: alone.append(block) or slow(block)  # type: ignore[func-returns-value, method-assign]
    # A part that the backend did not begin is begun for Responses clients: 3.
    deltas = b"".join(a_delta(f"é\\n {number}", number) for number in range(4, 204))
    reads = in_pieces(deltas, *range(0, 60_000, 1021))
    out = b"".join(translator.feed(read) for read in reads)

    assert alone == []
    assert all(f" {number}".encode() in out for number in range(4, 204))
    assert translator.report.events == 203


@pytest.mark.parametrize("kind", TRANSLATORS)
def test_deltas_are_taken_together_with_other_events_among_them(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NATIVE, "code", None)
    translator = opened(kind)
    taken = counted_together(translator)
    some = b"".join(a_delta("b", number) for number in range(4, 9))
    other = answers.encoded([{"type": "codex.rate_limits", "rate_limits": {}}])
    out = translator.feed((some + other) * 3 + some)

    assert out.count(b'"b"') == 20
    # What follows another event is of a kind that comes anew: its first is taken alone.
    assert set(taken) == {4, 5}


@pytest.mark.parametrize("kind", TRANSLATORS)
def test_deltas_that_come_with_the_events_before_them_are_taken_together(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NATIVE, "code", None)
    translator = TRANSLATORS[kind]()
    taken = counted_together(translator)
    opening = answers.encoded([says.created(), says.added(says.message())])
    out = translator.feed(opening + b"".join(a_delta(f"{n}", n) for n in range(2, 202)))

    # The first one alone, as it is often unlike the others; a part that is begun here moves numbers.
    assert taken == [199]
    assert b"199" in out
    assert translator.report.events == 202


def test_deltas_for_a_responses_client_pass_as_they_came() -> None:
    translator = opened("responses")
    deltas = b"".join(a_delta("a", number) for number in range(4, 9))

    assert translator.feed(deltas) == deltas


@pytest.mark.parametrize("kind", TRANSLATORS)
def test_a_long_event_among_many_is_refused(kind: str) -> None:
    translator = opened(kind)
    reads = [a_delta("b", 3) + a_delta("c" * MAX_MESSAGE_BYTES, 4) + a_delta("d", 5)]
    said: Any = pumped(translator, reads)

    assert b"cccc" not in said
    assert translator.report.code == "upstream_malformed"
