"""The facts of an exchange, in the order in which they were noted, and their fold into its record.

An exchange is cut off at any time: by its client, by an administrator, by a shutdown. Whatever has
been noted until then gives a sound record, so nobody has to assign attributes in a certain order.
All times are monotonic seconds of one clock.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgspec

from codex_proapi.commons.codex.substitution import RESERVE, is_substitution
from codex_proapi.commons.usage.exchange_record import AttemptRecord, Ending, ExchangeRecord
from codex_proapi.commons.usage.token_counts import Tokens

CLIENT_LEFT: Final = 499
"""Status in the record of a client that left before it had one."""
NO_STATUS: Final = 500
"""Status in the record of an exchange that ended by a fault of our own."""
MODEL_LENGTH: Final = 128


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The request was authenticated; the first fact of every exchange."""

    request_id: str
    endpoint: str
    """Name of the dialect."""
    at: float
    """Seconds since the epoch, by the shared clock."""
    began: float


class Identified(msgspec.Struct, frozen=True, kw_only=True):
    """The client's key, by its terms as they are now; the latest counts."""

    key_id: str = ""
    key_name: str = ""


class Translated(msgspec.Struct, frozen=True, kw_only=True):
    """The body was translated; the latest counts."""

    streamed: bool
    asked_model: str
    """As the client wrote it."""
    sent_model: str
    reserve_of: str = ""
    """The model that the sent one stands for, if it is the reserve."""
    effort: str = ""
    service_tier: str = ""
    fallback: bool = False
    """Whether it serves in place of the model that was asked for."""
    dropped: tuple[str, ...] = ()
    """Names of parameters that were left out."""


class Classified(msgspec.Struct, frozen=True, kw_only=True):
    """The request is small work; the latest counts."""

    work_class: str
    outcome: str
    """A `WorkOutcome`."""


class Estimated(msgspec.Struct, frozen=True):
    """Estimated input tokens; the latest counts."""

    tokens: int


class Charged(msgspec.Struct, frozen=True, kw_only=True):
    """What was charged to the client's key; the latest counts."""

    drawn_at: int = 0
    """Redis' second in which its limits were charged; 0 if they were not."""
    drawn_tokens: int = 0
    drawn_cost: int = 0
    fair_share_charge: int = 0
    """Tokens charged to its fair share."""
    fair_share_weight: float = 0.0
    """The key's weight then; 0 if no share was charged."""


class Attempted(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt began."""

    at: float
    account: str
    choice: str
    """The rule that selected the account."""
    why: str = ""
    """The reason in words."""
    selection_input: Any = None


class AttemptEnded(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of the latest attempt. It may be replaced: a committed answer may break off."""

    at: float
    verdict: str
    status: int = 0
    code: str = ""
    cause: str = ""
    message: str = ""
    repair: str = ""
    """The change with which the same account is to be tried once more."""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """An account's answer reached its commit point; the latest counts."""

    account: str
    upstream_request_id: str = ""
    transport: str = ""
    transport_why: str = ""


class Spoke(msgspec.Struct, frozen=True):
    """The first byte of the answer went to the client; the first counts."""

    at: float


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """What the translator of the answer had seen, and what was received; the latest counts."""

    answered_model: str = ""
    tokens: Tokens | None = None
    """Upstream's usage; None where it was not reported."""
    events: int = 0
    """Events received: the estimated output tokens, at about one token each."""
    silence_seconds: int = 0
    """Longest time without data from upstream since the commit point."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How the exchange ended; the first counts."""

    ending: Ending
    status: int = 0
    """HTTP status the client has seen; 0 to derive it."""
    code: str = ""
    limited: bool = False
    """Whether its key's limits or fair share refused it."""


Fact: TypeAlias = (
    Identified
    | Translated
    | Classified
    | Estimated
    | Charged
    | Attempted
    | AttemptEnded
    | Answered
    | Spoke
    | Reported
    | Ended
)


_NOBODY: Final = Identified()
_NOT_TRANSLATED: Final = Translated(streamed=False, asked_model="", sent_model="")
_NOT_CHARGED: Final = Charged()
_NOT_ANSWERED: Final = Answered(account="")
_NOT_REPORTED: Final = Reported()
_NOT_ESTIMATED: Final = Estimated(tokens=0)
_NOT_CLASSIFIED: Final = Classified(work_class="", outcome="")


def record_of(opened: Opened, facts: Sequence[Fact], *, settled_at: float) -> ExchangeRecord:
    """Fold the facts of an exchange into its record.

    Args:
        opened: the first fact.
        facts: the others, in their order.
        settled_at: when the exchange was settled.
    """
    # Facts have no subclasses: each is found under its own type.
    latest: dict[type[Fact], Any] = {type(fact): fact for fact in facts}
    first: dict[type[Fact], Any] = {type(fact): fact for fact in reversed(facts)}
    key: Identified = latest.get(Identified, _NOBODY)
    request: Translated = latest.get(Translated, _NOT_TRANSLATED)
    charged: Charged = latest.get(Charged, _NOT_CHARGED)
    answered: Answered = latest.get(Answered, _NOT_ANSWERED)
    report: Reported = latest.get(Reported, _NOT_REPORTED)
    estimate: Estimated = latest.get(Estimated, _NOT_ESTIMATED)
    work: Classified = latest.get(Classified, _NOT_CLASSIFIED)
    spoke: Spoke | None = first.get(Spoke)
    ended: Ended = first.get(Ended) or Ended(ending=Ending.BROKEN if spoke else Ending.REFUSED)
    return ExchangeRecord(
        request_id=opened.request_id,
        at=opened.at,
        endpoint=opened.endpoint,
        streamed=request.streamed,
        key_id=key.key_id,
        key_name=key.key_name,
        asked_model=_printable(request.asked_model),
        sent_model=request.sent_model,
        fallback=request.fallback,
        small_work=work.work_class,
        small_work_outcome=work.outcome,
        effort=_printable(request.effort),
        service_tier=_printable(request.service_tier),
        answered_model=_answered_model(request, report),
        substituted=_is_substituted(request, report.answered_model),
        account=answered.account,
        attempts=_attempts(facts, settled_at),
        waited_ms=_waited(opened, facts, settled_at),
        selection_inputs=tuple([f.selection_input for f in facts if isinstance(f, Attempted)]),
        tokens=report.tokens or Tokens(),
        estimated=_estimated(estimate, answered, report),
        drawn_at=charged.drawn_at,
        drawn_tokens=charged.drawn_tokens if charged.drawn_at else 0,
        drawn_cost=charged.drawn_cost if charged.drawn_at else 0,
        fair_share_charge=charged.fair_share_charge,
        fair_share_weight=charged.fair_share_weight,
        # At least one millisecond: 0 means that there was no first byte.
        first_byte_ms=max(1, _milliseconds(opened.began, spoke.at)) if spoke else 0,
        total_ms=_milliseconds(opened.began, settled_at),
        silence_seconds=report.silence_seconds,
        ending=ended.ending,
        status=ended.status or _status_of(ended.ending, spoke),
        code=ended.code,
        limited=ended.limited,
        upstream_request_id=answered.upstream_request_id,
        transport=answered.transport,
        transport_why=answered.transport_why,
        dropped=request.dropped,
    )


def _attempts(facts: Sequence[Fact], settled_at: float) -> tuple[AttemptRecord, ...]:
    """The attempts, each with its last outcome; one without any was abandoned."""
    attempts: list[tuple[Attempted, AttemptEnded | None]] = []
    for fact in facts:
        if isinstance(fact, Attempted):
            attempts.append((fact, None))
        elif isinstance(fact, AttemptEnded) and attempts:
            attempts[-1] = attempts[-1][0], fact
    following = [*(begun.account for begun, _ in attempts[1:]), ""]
    return tuple(
        _attempt(
            begun,
            outcome or AttemptEnded(at=settled_at, verdict="abandoned"),
            repaired=begun.account == after,
        )
        for (begun, outcome), after in zip(attempts, following, strict=False)
    )


def _waited(opened: Opened, facts: Sequence[Fact], settled_at: float) -> int:
    """Milliseconds before and between attempts; all of them where none was made."""
    since: float | None = opened.began
    waited, attempted = 0.0, False
    for fact in facts:
        if isinstance(fact, Attempted) and since is not None:
            waited, since, attempted = waited + fact.at - since, None, True
        elif isinstance(fact, AttemptEnded):
            since = fact.at
    if not attempted:
        waited = settled_at - opened.began
    return max(0, round(waited * 1000))


def _attempt(begun: Attempted, outcome: AttemptEnded, *, repaired: bool) -> AttemptRecord:
    return AttemptRecord(
        account=begun.account,
        verdict=outcome.verdict,
        choice=begun.choice,
        why=begun.why,
        status=outcome.status,
        code=outcome.code,
        cause=outcome.cause,
        message=outcome.message,
        repair=outcome.repair if repaired else "",
        milliseconds=_milliseconds(begun.at, outcome.at),
    )


def _estimated(estimate: Estimated, answered: Answered, report: Reported) -> int:
    """Estimated tokens of an answer that ended before its usage; 0 if known or not answered."""
    if report.tokens is not None or not answered.account:
        return 0
    return estimate.tokens + report.events


def _status_of(ending: Ending, spoke: Spoke | None) -> int:
    """The status where none was noted: 200 for an answer that has started."""
    if spoke or ending in {Ending.WHOLE, Ending.SHORT}:
        return 200
    return CLIENT_LEFT if ending is Ending.ABANDONED else NO_STATUS


def _milliseconds(start: float, end: float) -> int:
    return round((end - start) * 1000)


def _printable(model: str) -> str:
    """A model name from a client without unprintable characters, at most MODEL_LENGTH long."""
    cut = model[:MODEL_LENGTH]
    return cut if cut.isprintable() else "".join(filter(str.isprintable, cut))


def _answered_model(request: Translated, report: Reported) -> str:
    """The model that answered: of a reserve the one that it serves, by which usage is counted and priced."""
    served = request.reserve_of and report.answered_model == RESERVE
    return request.reserve_of if served else report.answered_model


def _is_substituted(request: Translated, answered: str) -> bool:
    return is_substitution(request.sent_model, answered, stands_for=request.reserve_of)
