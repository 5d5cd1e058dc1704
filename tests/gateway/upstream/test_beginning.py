"""The beginning of an answer, from a source that a test moves: how it ends, and what wakes its task."""

import asyncio
from typing import Any

import pytest
from gateway.upstream.test_http_transport import CREATED, DELTA, FAILED
from support.clock import Clock

from codex_proapi.commons.connections.deadlines import Deadlines
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.translation.stream.commit_gate import Failed
from codex_proapi.gateway.upstream.http_response import ConnectionLost
from codex_proapi.gateway.upstream.http_transport import Beginning
from codex_proapi.gateway.upstream.transport import PreparedRequest, SilenceBudget

OTHER = (
    b'event: response.created\ndata: {"type":"response.created","response":{"model":"gpt-4"}}\n\n'
)


class Source:
    """An answer; it has come so far when its receiver is set."""

    def __init__(self, come: bytes = b"") -> None:
        self.headers = {"x-codex-primary-used-percent": "100"}
        self.come = come
        self.receiver: Any = None

    def push_to(self, receiver: Any) -> None:
        self.receiver = receiver
        if self.come:
            receiver.received(self.come)


def begun(source: Source, **options: Any) -> Beginning:
    silence = SilenceBudget.begin(asyncio.get_running_loop().time, seconds=300)
    request = PreparedRequest({}, b"{}", **options)
    return Beginning(source, request, silence, deadlines=Deadlines())


async def test_its_task_is_woken_once_however_many_reads_there_are() -> None:
    source = Source()
    beginning = begun(source)
    for piece in (CREATED[:20], CREATED[20:], DELTA[:-1]):
        assert source.receiver.received(piece)
        assert repr(beginning) == "<Beginning under way>"
    source.receiver.received(DELTA[-1:])

    assert source.receiver is None  # what follows is kept for who reads the rest
    assert await beginning.outcome == CREATED + DELTA


async def test_what_has_come_already_is_taken_at_once() -> None:
    assert await begun(Source(CREATED + DELTA)).outcome == CREATED + DELTA


async def test_a_failure_is_a_refusal_with_the_quota_of_the_headers() -> None:
    failed = await begun(Source(CREATED + FAILED)).outcome

    assert isinstance(failed, Failed)
    assert (failed.refusal.code, failed.goes_on) == ("server_is_overloaded", False)


async def test_an_answer_of_another_model_may_be_refused_while_it_goes_on() -> None:
    dropped = Refusal(status=0, code="dropped")

    failed = await begun(Source(OTHER), model="gpt-5", on_other_model=lambda _: dropped).outcome

    assert isinstance(failed, Failed)
    assert (failed.refusal.code, failed.goes_on) == ("dropped", True)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (ConnectionLost("it broke"), "upstream_connection_lost"),
        (None, "upstream_stream_truncated"),
    ],
)
async def test_an_end_without_a_word_is_a_refusal(fault: Exception | None, code: str) -> None:
    source = Source(CREATED)
    beginning = begun(source)
    source.receiver.ended(fault)

    failed = await beginning.outcome

    assert isinstance(failed, Failed)
    assert (failed.refusal.status, failed.refusal.code) == (0, code)


async def test_what_cannot_be_read_is_a_refusal_of_an_answer_that_goes_on() -> None:
    failed = await begun(Source(b"event: response.created\ndata: {\n\n")).outcome

    assert isinstance(failed, Failed)
    assert (failed.refusal.code, failed.goes_on) == ("upstream_malformed", True)


async def test_a_fault_of_our_own_is_the_error_of_the_task_that_waits() -> None:
    def broken(model: str) -> Refusal:
        raise ValueError(model)

    with pytest.raises(ValueError, match="gpt-4"):
        await begun(Source(OTHER), model="gpt-5", on_other_model=broken).outcome


async def test_silence_ends_it_and_every_event_begins_the_silence_anew() -> None:
    clock, source = Clock(asyncio.get_running_loop().time()), Source()
    silence = SilenceBudget.begin(clock, seconds=0)
    first = silence.deadline
    request = PreparedRequest({}, b"{}")
    beginning = Beginning(source, request, silence, deadlines=Deadlines())
    clock.pass_(0.01)
    source.receiver.received(CREATED)

    assert silence.deadline == first + 0.01
    failed = await beginning.outcome

    assert isinstance(failed, Failed)
    assert failed.refusal.code == "upstream_timeout"
    assert asyncio.get_running_loop().time() >= silence.deadline


async def test_who_was_cancelled_is_woken_by_nothing() -> None:
    source = Source()
    beginning = begun(source)
    receiver = source.receiver
    task = asyncio.ensure_future(asyncio.wait_for(beginning.outcome, None))
    await asyncio.sleep(0)
    task.cancel()
    receiver.received(DELTA)
    receiver.ended(None)

    with pytest.raises(asyncio.CancelledError):
        await task
