"""The facts of an exchange as a list, folded in its order: what `exchange_facts` is compared with.

It is the first way in which facts were kept, and the plain one: each is a value, and of each kind the
latest or the first counts.
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


_NOTHING: Final[dict[type[Fact], Fact]] = {
    Identified: Identified(),
    Translated: Translated(streamed=False, asked_model="", sent_model=""),
    Classified: Classified(work_class="", outcome=""),
    Estimated: Estimated(tokens=0),
    Charged: Charged(),
    Answered: Answered(account=""),
    Reported: Reported(),
}
"""What holds where nothing was noted."""


def record_of(opened: Opened, facts: Sequence[Fact], *, settled_at: float) -> ExchangeRecord:
    """Fold the facts of an exchange into its record: the first, and the others in their order."""
    # Facts have no subclasses: each is found under its own type. Of several the latest counts, of
    # words and ends the first.
    latest: dict[type[Fact], Any] = {**_NOTHING, **dict(zip(map(type, facts), facts, strict=True))}
    first = dict(zip(map(type, reversed(facts)), reversed(facts), strict=True))
    key: Identified = latest[Identified]
    request: Translated = latest[Translated]
    charged: Charged = latest[Charged]
    answered: Answered = latest[Answered]
    report: Reported = latest[Reported]
    spoke: Any = first.get(Spoke)
    ended: Any = first.get(Ended) or Ended(ending=Ending.BROKEN if spoke else Ending.REFUSED)
    asked, effort, tier = _printable(request.asked_model, request.effort, request.service_tier)
    attempts, waited = _attempts(opened, facts, settled_at)
    model, stands_for = report.answered_model, request.reserve_of
    unreported = report.tokens is None and answered.account
    inputs = tuple([f.selection_input for f in facts if type(f) is Attempted])
    return ExchangeRecord(
        request_id=opened.request_id,
        at=opened.at,
        endpoint=opened.endpoint,
        streamed=request.streamed,
        key_id=key.key_id,
        key_name=key.key_name,
        asked_model=asked,
        sent_model=request.sent_model,
        fallback=request.fallback,
        small_work=latest[Classified].work_class,
        small_work_outcome=latest[Classified].outcome,
        effort=effort,
        service_tier=tier,
        # Of a reserve the model that it serves, by which usage is counted and priced.
        answered_model=stands_for if stands_for and model == RESERVE else model,
        substituted=is_substitution(request.sent_model, model, stands_for=stands_for),
        account=answered.account,
        attempts=attempts,
        waited_ms=waited,
        selection_inputs=inputs if any(inputs) else (),
        tokens=report.tokens or Tokens(),
        estimated=latest[Estimated].tokens + report.events if unreported else 0,
        drawn_at=charged.drawn_at,
        drawn_tokens=charged.drawn_tokens if charged.drawn_at else 0,
        drawn_cost=charged.drawn_cost if charged.drawn_at else 0,
        fair_share_charge=charged.fair_share_charge,
        fair_share_weight=charged.fair_share_weight,
        # At least one millisecond: 0 means that there was no first byte.
        first_byte_ms=max(1, round((spoke.at - opened.began) * 1000)) if spoke else 0,
        total_ms=round((settled_at - opened.began) * 1000),
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


def _attempts(
    opened: Opened, facts: Sequence[Fact], settled_at: float
) -> tuple[tuple[AttemptRecord, ...], int]:
    """The attempts, each with its last outcome, and the milliseconds before and between them.

    An attempt without any outcome was abandoned; where none was made, all was waiting.
    """
    begun: list[Attempted] = []
    outcomes: list[AttemptEnded] = []
    since: float | None = opened.began
    waited = 0.0
    for fact in facts:
        if type(fact) is Attempted:
            if since is not None:
                waited, since = waited + fact.at - since, None
            begun.append(fact)
            outcomes.append(AttemptEnded(at=settled_at, verdict="abandoned"))
        elif type(fact) is AttemptEnded:
            since = fact.at
            if begun:
                outcomes[-1] = fact
    if not begun:
        waited = settled_at - opened.began
    attempts = []
    for index, (attempt, outcome) in enumerate(zip(begun, outcomes, strict=True), start=1):
        repaired = index < len(begun) and begun[index].account == attempt.account
        attempts.append(
            AttemptRecord(
                account=attempt.account,
                verdict=outcome.verdict,
                choice=attempt.choice,
                why=attempt.why,
                status=outcome.status,
                code=outcome.code,
                cause=outcome.cause,
                message=outcome.message,
                repair=outcome.repair if repaired else "",
                milliseconds=round((outcome.at - attempt.at) * 1000),
            )
        )
    return tuple(attempts), max(0, round(waited * 1000))


def _status_of(ending: Ending, spoke: Spoke | None) -> int:
    """The status where none was noted: 200 for an answer that has started."""
    if spoke or ending in {Ending.WHOLE, Ending.SHORT}:
        return 200
    return CLIENT_LEFT if ending is Ending.ABANDONED else NO_STATUS


def _printable(*texts: str) -> Sequence[str]:
    """Texts of a client without unprintable characters, each at most MODEL_LENGTH long."""
    joined = "".join(texts)
    if len(joined) <= MODEL_LENGTH and joined.isprintable():
        return texts
    return ["".join(filter(str.isprintable, text[:MODEL_LENGTH])) for text in texts]
