"""The commit point: nothing passes before the answer says something."""

import pytest
from support import upstream_says as says
from support.playbook import in_pieces, sse, transcript

from codex_proapi.gateway.errors import Malformed
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.translation.stream.commit_gate import CommitGate, Failed

PRELUDE = (
    says.rate_limits(),
    {"type": "codex.response.metadata", "headers": {}},
    says.created(),
    {"type": "response.in_progress"},
    says.added(says.message()),
    {"type": "response.content_part.added"},
)


def test_announcements_wait_and_the_first_word_lets_them_all_pass() -> None:
    hold_back = CommitGate()
    prelude, word = sse(*PRELUDE), sse(says.text("Hi"))

    assert hold_back.feed(prelude) is None
    assert hold_back.feed(word) == prelude + word


@pytest.mark.parametrize(
    "body", [says.done(says.message("x")), says.completed(), says.incomplete()]
)
def test_a_finished_item_or_answer_is_a_word_too(body: says.Body) -> None:
    assert isinstance(CommitGate().feed(sse(*PRELUDE, body)), bytes)


@pytest.mark.parametrize(
    "body",
    [says.failed("server_is_overloaded"), {"type": "error", "code": "server_is_overloaded"}],
)
def test_a_failure_before_the_first_word_is_a_refusal(body: says.Body) -> None:
    answer = CommitGate().feed(sse(*PRELUDE, body))

    assert isinstance(answer, Failed)
    assert (answer.refusal.code, answer.refusal.in_stream) == ("server_is_overloaded", True)


def test_a_refusal_brings_the_quota_that_was_told_before_it() -> None:
    answer = CommitGate().feed(sse(says.rate_limits(42), says.failed("usage_limit_reached")))

    assert isinstance(answer, Failed)
    assert answer.refusal.quota is not None
    assert [window.used_percent for window in answer.refusal.quota.windows] == [42]


LUNA = "gpt-5.6-luna"


@pytest.mark.parametrize(
    ("sent", "answered", "told"),
    [
        ("gpt-5.5", LUNA, [LUNA]),
        ("gpt-5.5", "gpt-5.5", []),
        ("gpt-5.5", "gpt-5.5-2026-08-07", []),
        ("gpt-5.5", None, []),
        ("", LUNA, []),
    ],
)
@pytest.mark.parametrize("spaced", [False, True])
def test_another_model_is_told_of_when_the_response_is_created(
    sent: str, answered: str | None, told: list[str], spaced: bool
) -> None:
    seen: list[str] = []
    gate = CommitGate(model=sent, on_other_model=seen.append)
    created = sse(says.created(model=answered))
    if spaced:
        created = created.replace(b'"type":', b'"type" : ').replace(b'"model":', b'"model" : ')

    assert gate.feed(created) is None
    assert seen == told


def test_a_refusal_of_the_other_model_takes_the_place_of_the_answer() -> None:
    refusal = Refusal(status=0, code="model_substituted")
    gate = CommitGate(model="gpt-5.5", on_other_model=lambda model: refusal)

    assert gate.feed(sse(*PRELUDE[:2])) is None
    assert gate.feed(sse(says.created(model=LUNA), says.text("Hi"))) == Failed(
        refusal, goes_on=True
    )


def test_a_failure_after_the_first_word_is_not() -> None:
    assert isinstance(CommitGate().feed(sse(says.text("Hi"), says.failed())), bytes)


def test_sixteen_events_without_a_word_are_enough() -> None:
    hold_back = CommitGate()

    assert hold_back.feed(sse(*[says.created()] * 15)) is None
    assert isinstance(hold_back.feed(sse({"type": "new.thing"})), bytes)
    assert repr(hold_back) == "<CommitGate of 16 events>"


def test_so_are_too_many_bytes_and_comments_are_held_too() -> None:
    hold_back = CommitGate(max_bytes=30)

    assert hold_back.feed(b": keep-alive\n\n") is None
    assert hold_back.feed(b": keep-alive\n\n" * 2) == b": keep-alive\n\n" * 3


def test_an_end_without_a_word_leaves_what_was_held() -> None:
    hold_back = CommitGate()
    hold_back.feed(sse(says.created()))
    hold_back.feed(b"data: {")

    assert b"".join(hold_back.pieces) == sse(says.created()) + b"data: {"


def test_what_cannot_be_read_raises() -> None:
    with pytest.raises(Malformed):
        CommitGate().feed(b'data: {"type"\n\n')


def test_the_commit_point_is_the_same_event_at_every_cut() -> None:
    stream = transcript("text_reasoning_tool")
    end = stream.index(b"\n\n", stream.index(b"summary_text.delta")) + 2

    for cut in range(0, end, 3):
        hold_back = CommitGate()
        first, second = in_pieces(stream[:end], cut)
        assert hold_back.feed(first) is None
        assert hold_back.feed(second) == stream[:end]


def test_bytes_that_are_no_utf8_do_not_break_an_answer() -> None:
    word = sse(says.text("w#rd")).replace(b"#", b"\xff")

    assert CommitGate().feed(word) == word
