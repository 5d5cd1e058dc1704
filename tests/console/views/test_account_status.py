from typing import Any

import msgspec
import pytest

from codex_proapi.commons.accounts.model import (
    PERSONAL_TOKEN,
    Account,
    AccountState,
    Cooldown,
    CooldownReason,
)
from codex_proapi.commons.owner_terms.closing import Closed, Term
from codex_proapi.console.texts.phrases import CURES as PHRASE_CURES
from codex_proapi.console.texts.phrases import FAULTS
from codex_proapi.console.views.account_status import (
    CAUSES,
    CURES,
    WORDS,
    AccountStatus,
    Word,
    status_of,
)
from codex_proapi.console.views.quota_windows import Bar, Tone, WindowKind

NOW = 1_000_000.0


def _account(**facts: Any) -> Account:
    return Account(id="acc_1", name="ada", chatgpt_account_id="ws-1", **facts)


def _cooldown(reason: CooldownReason, *, until: float = NOW + 60) -> Cooldown:
    return Cooldown(until=until, since=NOW, reason=reason, code="why")


def _seen(account: Account, *, cooldown: Cooldown | None = None, left: float = 50) -> AccountStatus:
    bar = Bar(kind=WindowKind.WEEKLY, minutes=10_080, left=left, tone=Tone.OK, resets_at=2_000_000)
    return status_of(account, cooldown=cooldown, bars=[bar], now=NOW)


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        (CooldownReason.QUOTA, Word.SPENT),
        (CooldownReason.RATE, Word.COOLING),
        (CooldownReason.TRANSIENT, Word.UNREACHABLE),
        (CooldownReason.CREDENTIAL, Word.TOKEN),
        (CooldownReason.ENTITLEMENT, Word.ENTITLEMENT),
    ],
)
def test_a_cooldown_gives_the_word_its_end_and_its_code(reason: Any, word: Any) -> None:
    assert _seen(_account(), cooldown=_cooldown(reason)) == AccountStatus(
        word=word, until=int(NOW + 60), code="why"
    )


def test_an_account_without_trouble_is_ready() -> None:
    assert _seen(_account()) == AccountStatus(word=Word.READY)


def test_a_cooldown_that_has_ended_counts_no_more() -> None:
    ended = _cooldown(CooldownReason.RATE, until=NOW)

    assert _seen(_account(), cooldown=ended).word is Word.READY


def test_a_refused_personal_token_is_to_be_replaced() -> None:
    account = _account(kind=PERSONAL_TOKEN, state=AccountState.REVOKED, state_reason="any")

    found = _seen(account)

    assert found == AccountStatus(word=Word.NEW_TOKEN, code="access_token_refused")
    assert (found.signs_in, found.answers_never, found.needs_attention) == (True, True, True)


def test_a_spent_window_counts_before_anybody_was_refused() -> None:
    assert _seen(_account(), left=0) == AccountStatus(word=Word.SPENT, until=2_000_000)


def test_a_pause_comes_before_a_cooldown() -> None:
    assert _seen(_account(paused=True), cooldown=_cooldown(CooldownReason.RATE)).word is Word.PAUSED


@pytest.mark.parametrize(
    ("state", "word"),
    [(AccountState.REVOKED, Word.SIGN_IN), (AccountState.DEACTIVATED, Word.DISABLED)],
)
def test_what_only_a_person_can_cure_comes_first(state: Any, word: Any) -> None:
    account = _account(state=state, state_reason="token_expired", paused=True)

    condition = _seen(account, cooldown=_cooldown(CooldownReason.QUOTA))

    assert condition == AccountStatus(word=word, code="token_expired")
    assert condition.needs_attention


@pytest.mark.parametrize("word", list(Word))
def test_every_state_is_told_in_words_with_cause_and_cure(word: Any) -> None:
    condition = AccountStatus(word=word)

    assert condition.label == WORDS[word]
    assert condition.tone in Tone
    assert bool(condition.cause) == bool(condition.cure) == (word is not Word.READY)
    assert CAUSES.keys() == CURES.keys()


@pytest.mark.parametrize("word", [Word.READY, Word.PAUSED, Word.SPENT, Word.COOLING])
def test_what_passes_by_itself_needs_nobody(word: Any) -> None:
    assert not AccountStatus(word=word).needs_attention


def test_terms_that_close_an_account_are_told_before_what_passes_by_itself() -> None:
    account = Account(id="acc_1", name="n", chatgpt_account_id="ws")
    cooldown = Cooldown(until=2000, reason=CooldownReason.RATE)
    hours = Closed(term=Term.HOURS, until=3000.5)

    found = status_of(account, cooldown=cooldown, bars=(), now=1000, closed=hours)
    paused = status_of(account, cooldown=None, bars=(), now=1000, closed=Closed(term=Term.PAUSED))
    both = status_of(
        msgspec.structs.replace(account, paused=True),
        cooldown=None,
        bars=(),
        now=1000,
        closed=hours,
    )

    assert (found.word, found.until, found.code) == (Word.CLOSED, 3000, "closed_by_hours")
    assert (found.answers_never, paused.answers_never) == (False, True)
    assert both.word is Word.PAUSED


def test_every_term_has_a_sentence_and_a_cure() -> None:
    for term in set(Term) - {Term.KEYS, Term.UNKNOWN}:
        assert FAULTS[f"closed_by_{term.value}"]
        assert PHRASE_CURES[f"closed_by_{term.value}"]


@pytest.mark.parametrize(("cooldown", "left"), [(_cooldown(CooldownReason.QUOTA), 50), (None, 0)])
def test_an_open_reserve_is_a_state_of_its_own(cooldown: Any, left: float) -> None:
    bar = Bar(kind=WindowKind.WEEKLY, minutes=10_080, left=left, tone=Tone.OK, resets_at=2_000_000)

    found = status_of(_account(), cooldown=cooldown, bars=[bar], now=NOW, reserve="gpt-5.6-luna")

    assert (found.word, found.code, found.until > 0) == (Word.RESERVE, "", True)


def test_a_reserve_changes_nothing_while_the_account_serves_or_rests_for_another_reason() -> None:
    bar = Bar(kind=WindowKind.WEEKLY, minutes=10_080, left=50, tone=Tone.OK, resets_at=2_000_000)
    rate = _cooldown(CooldownReason.RATE)

    for cooldown, word in ((None, Word.READY), (rate, Word.COOLING)):
        found = status_of(
            _account(), cooldown=cooldown, bars=[bar], now=NOW, reserve="gpt-5.6-luna"
        )
        assert found.word is word
