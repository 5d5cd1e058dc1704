import asyncio
from typing import Any

import pytest
from support.leases import a_lease, a_request, a_translation

from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.commons.balancing.candidates import Reason, SelectionInput
from codex_proapi.commons.usage.exchange_record import AttemptRecord, Ending
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.errors import Overloaded
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.policy.retry import decide
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

BALLOT = SelectionInput(now=5.0, cursor=1)


class Ticking:
    """A clock that a test moves in seconds."""

    now = 0.0

    def __call__(self) -> Any:
        return self.now


class Opening:
    closed = 0

    def close(self) -> None:
        self.closed += 1


class Scene:
    def __init__(self) -> None:
        self.clock = Ticking()
        self.records: list[Any] = []
        self.exchange = Exchange(
            request_id="req_1",
            endpoint="chat",
            at=5.0,
            readers=[self.records.append],
            clock=self.clock,
            began=self.clock(),
        )

    def settled(self) -> Any:
        self.exchange.settle()
        [record] = self.records
        return record


async def test_a_whole_exchange_is_told_in_one_record() -> None:
    scene = Scene()
    exchange = scene.exchange
    exchange.key = ApiKey(id="key_1", name="mine")
    exchange.translated = a_translation(
        a_request(), asked_model="gpt-5\x00.5" + "x" * 200, dropped=("temperature",)
    )
    exchange.begin(a_lease("acc_a"))
    scene.clock.now = 0.2
    refusal = Refusal(status=429, code="usage_limit_reached", type="usage_limit_reached")
    exchange.refuse(refusal, decide(refusal, now=0))
    exchange.begin(a_lease("acc_b", why="next in turn", selection_input=BALLOT))
    scene.clock.now = 0.5
    opening = Opening()
    exchange.commit(opening, "acc_b", "req_up")
    exchange.speak()
    report = ResponseReport()
    exchange.report = report
    report.tokens = Tokens(input=3, output=2)
    report.answered_model = "gpt-5.5-2026"
    scene.clock.now = 2.0
    exchange.speak()
    exchange.end(Ending.WHOLE, status=200)

    record = scene.settled()

    assert record.attempts == (
        AttemptRecord(
            account="acc_a",
            verdict="next_account",
            choice="round robin",
            status=429,
            code="usage_limit_reached",
            milliseconds=200,
        ),
        AttemptRecord(
            account="acc_b",
            verdict="committed",
            choice="round robin",
            why="next in turn",
            status=200,
            milliseconds=300,
        ),
    )
    assert record.selection_inputs == (None, BALLOT)
    assert (record.key_id, record.key_name, record.at) == ("key_1", "mine", 5.0)
    assert record.asked_model == ("gpt-5.5" + "x" * 200)[:127]
    assert (record.sent_model, record.answered_model) == ("gpt-5.5", "gpt-5.5-2026")
    assert (record.first_byte_ms, record.total_ms) == (500, 2000)
    assert (record.ending, record.status, record.account) == (Ending.WHOLE, 200, "acc_b")
    assert record.tokens == Tokens(input=3, output=2)
    assert record.upstream_request_id == "req_up"
    assert opening.closed == 1


async def test_it_is_settled_once_however_often_it_is_told_to() -> None:
    scene = Scene()

    for _ in range(3):
        scene.exchange.settle()

    assert len(scene.records) == 1
    assert repr(scene.exchange) == "<Exchange req_1 settled>"


async def test_a_reader_that_fails_does_not_keep_the_others_from_reading() -> None:
    read: list[Any] = []

    def broken(record: Any) -> None:
        raise ValueError

    exchange = Exchange(request_id="req_1", endpoint="chat", at=0.0, readers=[broken, read.append])

    exchange.settle()

    assert len(read) == 1


@pytest.mark.parametrize(
    ("said", "spoken", "ending", "status"),
    [
        ({"ending": Ending.SHORT}, True, Ending.SHORT, 200),
        ({"ending": Ending.REFUSED, "status": 429, "code": "x"}, False, Ending.REFUSED, 429),
        ({"ending": Ending.ABANDONED}, False, Ending.ABANDONED, 499),
        ({"ending": Ending.ABANDONED}, True, Ending.ABANDONED, 200),
        ({}, True, Ending.BROKEN, 200),
        ({}, False, Ending.REFUSED, 500),
    ],
)
async def test_how_it_ended_is_what_was_said_first_or_what_must_have_been(
    said: Any, spoken: Any, ending: Any, status: int
) -> None:
    scene = Scene()
    if spoken:
        scene.clock.now = 1.0
        scene.exchange.speak()
    if said:
        scene.exchange.end(**said)
        scene.exchange.end(Ending.WHOLE, status=201)

    record = scene.settled()

    assert (record.ending, record.status) == (ending, status)


async def test_an_attempt_nobody_waits_for_is_abandoned() -> None:
    scene = Scene()
    scene.exchange.begin(a_lease("acc_a", basis=Reason.AFFINITY))

    [attempt] = scene.settled().attempts

    assert (attempt.verdict, attempt.choice) == ("abandoned", "affinity")


async def interrupted(reason: Any, *, before: Any = None) -> Any:
    """What becomes of an exchange that is interrupted while it works."""
    exchanges: list[Any] = []

    async def work() -> Any:
        exchange = Exchange(request_id="req_1", endpoint="chat", at=0.0, readers=())
        exchanges.append(exchange)
        if before:
            before(exchange)
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            exchange.settle()
            return exchange, True
        exchange.settle()
        return exchange, False

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    exchanges[0].interrupt(reason)
    exchanges[0].interrupt(Overloaded("twice"))
    return await task


async def test_a_client_that_leaves_interrupts_the_work_and_is_told_nothing() -> None:
    exchange, cancelled = await interrupted(None)

    assert (cancelled, exchange.interrupted, exchange.interruption) == (True, True, None)


async def test_an_error_from_outside_is_what_the_client_is_told() -> None:
    error = Overloaded("restarting")

    exchange, cancelled = await interrupted(error)

    assert (cancelled, exchange.interruption) == (True, error)


async def test_an_exchange_whose_end_is_said_is_not_interrupted() -> None:
    exchange, cancelled = await interrupted(
        None, before=lambda exchange: exchange.end(Ending.WHOLE)
    )

    assert (cancelled, exchange.interrupted) == (False, False)


async def test_a_settled_exchange_is_not_interrupted() -> None:
    scene = Scene()
    scene.exchange.settle()

    scene.exchange.interrupt(Overloaded("late"))

    assert not scene.exchange.interrupted


async def test_an_answer_that_breaks_off_after_its_commit_point_is_refused_after_all() -> None:
    scene = Scene()
    scene.exchange.begin(a_lease("acc_a"))
    scene.exchange.commit(Opening(), "acc_a")
    broken = Refusal(status=502)
    scene.exchange.refuse(broken, decide(broken, now=0))

    [record] = scene.settled().attempts

    assert (record.verdict, record.status) == ("same_account_again", 502)
