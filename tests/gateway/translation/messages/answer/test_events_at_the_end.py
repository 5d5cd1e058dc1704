"""How a Messages answer ends: stop sequences, limits, failures and empty answers."""

import pytest
from support import upstream_says as says
from support.messages_streams import BASH_CALL, content, fed, read, stop, stream, text, used
from support.strict_messages import StrictReader

from codex_proapi.gateway.errors import EmptyAnswer, Truncated, UpstreamRefused
from codex_proapi.gateway.formats.anthropic.events import encode
from codex_proapi.gateway.translation.stream.answer_state import AnswerState


def test_refusal_is_text_and_says_so() -> None:
    bodies = [says.refusal("I will"), says.refusal(" not."), says.completed()]

    assert content(*bodies) == [text("I will not.")]
    assert stop(*bodies) == ("refusal", None)
    assert stop(says.text("A", part=1), *bodies) == ("end_turn", None)


def test_stop_sequence_cuts_the_text_and_is_named() -> None:
    bodies = [says.text("One STO"), says.text("P two"), says.completed()]
    reader = read(*bodies, stop=("STOP", "END"))

    assert reader.content == [text("One ")]
    assert stop(*bodies, stop=("STOP", "END")) == ("stop_sequence", "STOP")
    assert reader.message is not None
    assert reader.message["usage"]["output_tokens"] == 20


def test_text_held_back_for_a_stop_sequence_is_written_before_a_call() -> None:
    assert content(
        says.text("One ST"), says.done(BASH_CALL, at=1), says.completed(), stop=("STOP",)
    ) == [text("One ST"), used("Bash", command="ls")]


def test_what_follows_a_stop_sequence_is_not_written() -> None:
    assert content(
        says.text("One STOP"),
        says.text(" more"),
        says.done(BASH_CALL, at=1),
        says.failed(),
        stop=("STOP",),
    ) == [text("One ")]


def test_stop_sequence_before_any_text_leaves_no_block() -> None:
    assert content(says.text("STOP"), says.completed(), stop=("STOP",)) == []


def test_stream_that_ends_after_a_stop_sequence_is_whole() -> None:
    made = stream(stop=("STOP",))
    written = fed(made, says.text("One STOP"))

    assert StrictReader().read(b"".join(map(encode, written + made.finish()))).stopped
    assert made.finish() == []


@pytest.mark.parametrize(
    ("reason", "stop_reason"),
    [
        ("max_output_tokens", "max_tokens"),
        ("content_filter", "refusal"),
        ("context_window_exceeded", "model_context_window_exceeded"),
        ("something new", "max_tokens"),
    ],
)
@pytest.mark.parametrize("with_call", [False, True])
def test_short_answer_says_why(reason: str, stop_reason: str, with_call: bool) -> None:
    calls = [says.done(BASH_CALL, at=1)] if with_call else []

    assert stop(says.text("A"), *calls, says.incomplete(reason)) == (stop_reason, None)


def test_call_cut_by_a_limit_is_not_mentioned() -> None:
    assert content(
        says.text("A"),
        says.added(says.call("Bash"), at=1),
        says.arguments('{"comm', at=1),
        says.incomplete(),
    ) == [text("A")]


def test_call_with_all_its_arguments_is_whole_though_the_answer_is_cut() -> None:
    assert content(
        says.added(says.call("Bash")),
        says.arguments_done('{"command":"ls"}'),
        says.incomplete(),
    ) == [used("Bash", command="ls")]


def test_call_that_upstream_calls_incomplete_is_not_mentioned() -> None:
    assert content(
        says.text("A"),
        says.done({**BASH_CALL, "status": "incomplete"}, at=1),
        says.incomplete(),
    ) == [text("A")]


def test_call_the_client_knows_of_and_upstream_cuts_is_never_ended() -> None:
    made = stream()
    written = fed(made, says.added(says.call("Write")), says.arguments('{"path":'))

    with pytest.raises(Truncated):
        fed(made, says.incomplete())
    assert made.state is AnswerState.FAILED
    assert StrictReader().read(b"".join(map(encode, written))).complete == []


@pytest.mark.parametrize(
    "bodies", [[], [says.done(says.reasoning("Hm"))], [says.text("")], [says.thought("Hm")]]
)
def test_empty_answer_is_an_error(bodies: list[says.Body]) -> None:
    with pytest.raises(EmptyAnswer):
        read(*bodies, says.completed())


def test_failure_is_an_error() -> None:
    with pytest.raises(UpstreamRefused):
        read(says.text("A"), says.failed())


def test_end_of_bytes_is_never_an_end_of_the_turn() -> None:
    made = stream()
    fed(made, says.text("A"))

    with pytest.raises(Truncated):
        made.finish()
