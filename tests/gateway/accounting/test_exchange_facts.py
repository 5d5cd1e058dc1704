"""The fold of an exchange's facts: whatever has been noted until it is cut off gives a sound record."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import folded_facts
from support.folded_facts import (
    Answered,
    Attempted,
    AttemptEnded,
    Charged,
    Classified,
    Ended,
    Estimated,
    Fact,
    Identified,
    Opened,
    Reported,
    Spoke,
    Translated,
)
from support.leases import a_request, a_translation

from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.commons.codex.substitution import RESERVE
from codex_proapi.commons.usage.exchange_record import AttemptRecord, Ending, ExchangeRecord
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.accounting import exchange_facts
from codex_proapi.gateway.accounting.exchange_facts import CLIENT_LEFT, NO_STATUS, ExchangeFacts
from codex_proapi.gateway.translation.request.translated_request import TranslatedRequest
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

OPENED = Opened(request_id="req_1", endpoint="chat", at=5.0, began=100.0)


def fold(*facts: Fact, settled_at: float = 200.0) -> ExchangeRecord:
    """The record of the facts, which is the same as that of their list."""
    record = exchange_facts.record_of(noted(facts), settled_at=settled_at)
    assert record == folded_facts.record_of(OPENED, facts, settled_at=settled_at)
    return record


def noted(facts: Iterable[Fact]) -> ExchangeFacts:
    """The facts of a list, each noted as an exchange does."""
    opened = OPENED
    told = ExchangeFacts(
        request_id=opened.request_id, endpoint=opened.endpoint, at=opened.at, began=opened.began
    )
    for fact in facts:
        note(told, fact)
    return told


def note(told: ExchangeFacts, fact: Fact) -> None:
    match fact:
        case Identified():
            told.key = ApiKey(id=fact.key_id, name=fact.key_name)
        case Translated():
            told.translated = translated(fact)
        case Classified():
            told.small_work, told.small_work_outcome = fact.work_class, fact.outcome
        case Estimated():
            told.estimate = fact.tokens
        case Charged():
            told.charged = exchange_facts.Charged(
                drawn_at=fact.drawn_at,
                drawn_tokens=fact.drawn_tokens if fact.drawn_at else 0,
                drawn_cost=fact.drawn_cost if fact.drawn_at else 0,
                fair_share_charge=fact.fair_share_charge,
                fair_share_weight=fact.fair_share_weight,
            )
        case Attempted():
            told.attempts.append(
                exchange_facts.Attempt(
                    fact.at, fact.account, fact.choice, fact.why, fact.selection_input
                )
            )
        case AttemptEnded():
            attempt = told.attempts[-1]
            attempt.ended, attempt.verdict, attempt.status = fact.at, fact.verdict, fact.status
            attempt.code, attempt.cause = fact.code, fact.cause
            attempt.message, attempt.repair = fact.message, fact.repair
        case Answered():
            told.account, told.upstream_request_id = fact.account, fact.upstream_request_id
            told.transport, told.transport_why = fact.transport, fact.transport_why
        case Spoke():
            told.spoke = fact.at if told.spoke is None else told.spoke
        case Reported():
            told.report = ResponseReport(tokens=fact.tokens, answered_model=fact.answered_model)
            told.events, told.silence_seconds = fact.events, fact.silence_seconds
        case Ended():
            told.end(fact.ending, status=fact.status, code=fact.code, limited=fact.limited)


def translated(fact: Translated) -> TranslatedRequest:
    """A translated request of which a record tells this."""
    return a_translation(
        a_request(
            model=fact.sent_model,
            reserve_of=fact.reserve_of,
            reasoning={"effort": fact.effort} if fact.effort else {},
            service_tier=fact.service_tier or None,
        ),
        asked_model="gpt-5.4" if fact.fallback else fact.asked_model,
        replaces=fact.asked_model if fact.fallback else "",
        stream=fact.streamed,
        dropped=fact.dropped,
    )


def attempted(account: str, at: float = 101.0) -> Attempted:
    return Attempted(at=at, account=account, choice="round robin")


def test_an_exchange_without_any_fact_is_a_fault_of_our_own() -> None:
    record = fold()

    assert (record.ending, record.status, record.total_ms) == (Ending.REFUSED, NO_STATUS, 100_000)
    assert (record.attempts, record.first_byte_ms, record.account) == ((), 0, "")


def test_the_latest_terms_of_a_key_and_the_latest_translation_count() -> None:
    record = fold(
        Identified(key_id="key_1", key_name="old"),
        Translated(streamed=False, asked_model="", sent_model="gpt-5.4"),
        Identified(key_id="key_1", key_name="new"),
        Translated(streamed=True, asked_model="", sent_model="gpt-5.5", dropped=("seed",)),
    )

    assert (record.key_name, record.sent_model, record.streamed) == ("new", "gpt-5.5", True)
    assert record.dropped == ("seed",)


def test_whether_its_key_was_limited_is_said_by_the_first_end() -> None:
    end = Ended(ending=Ending.REFUSED, status=429, code="rate_limit_exceeded", limited=True)

    assert fold(end, Ended(ending=Ending.ABANDONED)).limited
    assert not fold(Ended(ending=Ending.ABANDONED), end).limited


def test_an_attempt_without_an_outcome_lasts_until_the_end() -> None:
    record = fold(attempted("acc_a", at=150.0))

    assert record.attempts == (
        AttemptRecord(
            account="acc_a", verdict="abandoned", choice="round robin", milliseconds=50_000
        ),
    )


def test_the_last_outcome_of_an_attempt_counts() -> None:
    record = fold(
        attempted("acc_a"),
        AttemptEnded(at=102.0, verdict="committed", status=200),
        AttemptEnded(at=104.0, verdict="next_account", status=502),
        attempted("acc_b", at=105.0),
        AttemptEnded(at=106.0, verdict="committed", status=200),
    )

    assert [(a.account, a.verdict, a.milliseconds) for a in record.attempts] == [
        ("acc_a", "next_account", 3000),
        ("acc_b", "committed", 1000),
    ]


def test_a_repair_is_told_where_the_same_account_was_tried_with_it() -> None:
    def refused(at: float) -> AttemptEnded:
        return AttemptEnded(at=at, verdict="next_account", status=400, repair="without_tier")

    record = fold(
        *(attempted("acc_a"), refused(102.0)),
        *(attempted("acc_a", at=102.0), refused(103.0)),
        *(attempted("acc_b", at=103.0), refused(104.0)),
    )

    assert [each.repair for each in record.attempts] == ["without_tier", "", ""]


@pytest.mark.parametrize(
    ("facts", "waited_ms"),
    [
        ([], 100_000),
        ([attempted("acc_a", at=103.0)], 3000),
        ([attempted("acc_a"), AttemptEnded(at=102.0, verdict="committed")], 1000),
        (
            [
                attempted("acc_a", at=100.5),
                AttemptEnded(at=102.0, verdict="committed"),
                AttemptEnded(at=104.0, verdict="next_account"),
                attempted("acc_b", at=104.25),
            ],
            750,
        ),
    ],
)
def test_waits_are_what_passes_before_and_between_attempts(
    facts: list[Fact], waited_ms: int
) -> None:
    assert fold(*facts).waited_ms == waited_ms


@pytest.mark.parametrize(
    ("facts", "estimated"),
    [
        ([Estimated(10), Answered(account="acc_a"), Reported(events=3)], 13),
        ([Estimated(10), Answered(account="acc_a"), Reported(tokens=Tokens(), events=3)], 0),
        ([Estimated(10), Reported(events=3)], 0),
        ([Answered(account="acc_a")], 0),
    ],
)
def test_tokens_are_estimated_of_an_answer_that_ended_before_its_usage(
    facts: list[Fact], estimated: int
) -> None:
    assert fold(*facts).estimated == estimated


def test_nothing_is_drawn_of_limits_that_were_not_charged() -> None:
    assert fold(Charged(drawn_tokens=7)).drawn_tokens == 0
    assert fold(Charged(drawn_at=9, drawn_tokens=7)).drawn_tokens == 7


@st.composite
def exchanges(draw: st.DrawFn) -> list[Fact]:
    """The facts of one exchange in an order that the flow can produce, cut off anywhere."""
    now = 100.0

    def later() -> float:
        nonlocal now
        now += draw(st.sampled_from([0.0, 0.0004, 0.3]))
        return now

    facts: list[Fact] = []
    for _ in range(draw(st.integers(0, 3))):
        facts.append(Identified(key_id="key_1", key_name="mine"))
        facts.append(
            Translated(
                streamed=draw(st.booleans()),
                asked_model=draw(st.sampled_from(["m", "m\n", "m" * 200])),
                sent_model=draw(st.sampled_from(["m", RESERVE])),
                reserve_of=draw(st.sampled_from(["", "r"])),
                effort=draw(st.sampled_from(["", "high", "hi\0"])),
                service_tier=draw(st.sampled_from(["", "priority"])),
                fallback=draw(st.booleans()),
                dropped=draw(st.sampled_from([(), ("seed",)])),
            )
        )
        facts.append(Classified(work_class="title", outcome=draw(st.sampled_from(["", "moved"]))))
        facts.append(Estimated(draw(st.integers(0, 9))))
    early = draw(st.booleans())
    if early:
        facts.append(Spoke(later()))
    for account in draw(st.lists(st.sampled_from(["acc_a", "acc_b"]), max_size=4)):
        facts.append(attempted(account, at=later()))
        if draw(st.booleans()):
            facts.append(AttemptEnded(at=later(), verdict="committed", status=200))
            facts.append(Answered(account=account, upstream_request_id="up"))
        if draw(st.booleans()):
            facts.append(
                AttemptEnded(
                    at=later(),
                    verdict="next_account",
                    status=502,
                    repair=draw(st.sampled_from(["", "without_tier"])),
                )
            )
    if draw(st.booleans()):
        facts.append(Spoke(later()))
    for ending in draw(st.lists(st.sampled_from(Ending), max_size=2)):
        facts.append(Ended(ending=ending, status=draw(st.sampled_from([0, 200, 429, 503]))))
    cut = draw(st.integers(0, len(facts)))
    tokens = draw(st.sampled_from([None, Tokens(input=3, output=2)]))
    model = draw(st.sampled_from(["", "m", "r", "other", RESERVE]))
    charged = Charged(drawn_at=0, drawn_tokens=5, fair_share_charge=3, fair_share_weight=2.0)
    return [*facts[:cut], charged, Reported(tokens=tokens, events=4, answered_model=model)]


def _first(facts: list[Fact], kind: Any) -> Any:
    return next((fact for fact in facts if isinstance(fact, kind)), None)


@given(exchanges())
def test_whatever_was_noted_until_an_exchange_was_cut_off_gives_a_sound_record(
    facts: list[Fact],
) -> None:
    record = fold(*facts)

    begun = [fact.account for fact in facts if isinstance(fact, Attempted)]
    assert [attempt.account for attempt in record.attempts] == begun
    assert len(record.selection_inputs) in (0, len(begun))
    assert all(attempt.verdict and attempt.milliseconds >= 0 for attempt in record.attempts)
    answers = [fact.account for fact in facts if isinstance(fact, Answered)]
    assert record.account == (answers[-1] if answers else "")
    assert bool(record.first_byte_ms) == (_first(facts, Spoke) is not None)
    assert record.first_byte_ms <= record.total_ms
    assert not record.estimated or (answers and record.tokens == Tokens())
    assert record.drawn_tokens == 0
    said = _first(facts, Ended)
    assert said is None or record.ending is said.ending
    assert record.status in {200, 429, 503, CLIENT_LEFT, NO_STATUS}
    assert said is None or not said.status or record.status == said.status
    assert msgspec.json.decode(msgspec.json.encode(record), type=ExchangeRecord) == record
