"""The exchange: the facts of one client request from authentication to settlement.

An exchange is settled exactly once. Settling is synchronous, so it cannot be cancelled half-way: it
closes the upstream stream, makes one `ExchangeRecord` and passes it to every reader.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
import structlog

from codex_proapi.commons.usage.exchange_record import AttemptRecord, Ending, ExchangeRecord
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.formats.codex.refusals import Refusal, words_of
from codex_proapi.gateway.policy.retry import RetryDecision
from codex_proapi.gateway.server.body_budget import BodyHold

if TYPE_CHECKING:
    from codex_proapi.commons.api_keys.fair_shares import FairShare
    from codex_proapi.commons.api_keys.store import ApiKey
    from codex_proapi.gateway.limits.charge import LimitCharge
    from codex_proapi.gateway.pool.lease import Lease
    from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

CLIENT_LEFT: Final = 499
"""Status in the record of a client that left before it had one."""
NO_STATUS: Final = 500
"""Status in the record of an exchange that ended by a fault of our own."""
MODEL_LENGTH: Final = 128

Reader = Callable[[ExchangeRecord], None]
"""Called with the record of a settled exchange; synchronous, so it must not block."""

log = structlog.get_logger(__name__)


class Closable(Protocol):
    """The part of an upstream stream that settling uses."""

    def close(self) -> None:
        """Return the connection to its pool, or close it; may be called repeatedly."""


class UpstreamHead(msgspec.Struct, frozen=True):
    """Headers of the latest upstream response, and the account that sent them."""

    account_id: str = ""
    headers: Mapping[str, str] = {}
    """By lower-case name."""


class Attempt:
    """One request to the backend within an exchange, on one lease."""

    __slots__ = ("_began", "_clock", "_lease", "account", "record", "selection_input")

    def __init__(self, lease: "Lease", clock: Callable[[], float]) -> None:
        self.account = lease.account.id
        self.selection_input = lease.selection_input
        self._lease = lease
        self.record: AttemptRecord | None = None
        self._clock = clock
        self._began = clock()

    def __repr__(self) -> str:
        return f"<Attempt on {self.account}: {self.record.verdict if self.record else 'open'}>"

    def commit(self) -> None:
        """Record that the answer reached its commit point."""
        self._note("committed", status=200)

    def refuse(self, refusal: Refusal, decision: RetryDecision) -> None:
        """Record a refusal and the decision that followed it."""
        self._note(decision.verdict.value, status=refusal.status, refusal=refusal)

    def abandon(self) -> None:
        """Record that the attempt was given up, unless it has an outcome."""
        if self.record is None:
            self._note("abandoned")

    def _note(self, verdict: str, *, status: int = 0, refusal: Refusal | None = None) -> None:
        self.record = AttemptRecord(
            account=self.account,
            verdict=verdict,
            choice=self._lease.basis.value,
            why=self._lease.why,
            status=status,
            code=refusal.code[:64] if refusal else "",
            cause=refusal.cause[:96] if refusal else "",
            message=words_of(refusal) if refusal else "",
            milliseconds=round((self._clock() - self._began) * 1000),
        )


class Exchange:
    """The facts of one request while it is under way.

    Args:
        request_id: id of the request, as in `x-request-id`.
        endpoint: name of the dialect.
        at: seconds since the epoch, by the shared clock.
        readers: called with the record on settlement.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        *,
        request_id: str,
        endpoint: str,
        at: float,
        readers: Sequence[Reader],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.request_id = request_id
        self.endpoint = endpoint
        self.body = b""
        """The client's body, kept until the first attempt: a changed key has it translated again."""
        self.hold = BodyHold()
        """The request's share of the body budget."""
        self.key: ApiKey | None = None
        self.charge: LimitCharge | None = None
        """The charge to its key's limits; None without limits."""
        self.fair_share: FairShare | None = None
        """The claim to its key's fair share, used while the pool is scarce; None without a key."""
        self.streamed = False
        self.asked_model = ""
        self.sent_model = ""
        self.account = ""
        self.upstream_request_id = ""
        self.upstream_head = UpstreamHead()
        """Headers of the latest upstream response, known before its first event."""
        self.dropped: tuple[str, ...] = ()
        self.report: ResponseReport | None = None
        self.settled = False
        self.interrupted = False
        """Whether `interrupt` has ended it."""
        self.interruption: GatewayError | None = None
        """The client's error after an interruption; None if the client disconnected."""
        self.estimate = 0
        """Estimated input tokens, used while upstream has not reported the usage."""
        self.received_events = 0
        """Events received so far: the estimated output tokens, at about one token each."""
        self.silence_seconds = 0
        """Longest time without data from upstream since the commit point, in whole seconds."""
        self._attempts: list[Attempt] = []
        self._opening: Closable | None = None
        self._ending: Ending | None = None
        self._status = 0
        self._code = ""
        self.at = at
        """When it was admitted, seconds since the epoch."""
        self._readers = readers
        self._clock = clock
        self._began = clock()
        self._first_byte = 0.0
        self._task = asyncio.current_task()

    def __repr__(self) -> str:
        state = "settled" if self.settled else f"{len(self._attempts)} attempts"
        return f"<Exchange {self.request_id} {state}>"

    @property
    def attempted(self) -> bool:
        """Whether there was any attempt."""
        return bool(self._attempts)

    def begin(self, lease: "Lease") -> Attempt:
        """Begin an attempt on a lease; from here the body is not kept."""
        self.body = b""
        attempt = Attempt(lease, self._clock)
        self._attempts.append(attempt)
        return attempt

    def note_head(self, account_id: str, headers: Mapping[str, str]) -> None:
        """Note the headers of an upstream response, before its first event."""
        self.upstream_head = UpstreamHead(account_id, headers)

    def own(self, opening: Closable, account: str) -> None:
        """Take over a committed upstream stream: settling closes it in any case."""
        self._opening = opening
        self.account = account

    def forget_request(self) -> None:
        """Drop the request body and release its share of the body budget."""
        self.body = b""
        self.hold.release()

    def speak(self) -> None:
        """Note the time of the first byte to the client; later calls have no effect."""
        if not self._first_byte:
            self._first_byte = self._clock() - self._began

    def end(self, ending: Ending, *, status: int = 0, code: str = "") -> None:
        """Set ending, status and code of the record; only the first call counts."""
        if self._ending is None:
            self._ending, self._status, self._code = ending, status, code

    def interrupt(self, reason: GatewayError | None) -> None:
        """Cancel the exchange from another task.

        Args:
            reason: the client's error; None if the client disconnected.
        """
        if self._ending is not None or self._task is None or self.interrupted:
            return
        self.interrupted = True
        self.interruption = reason
        if reason is None:
            self.end(Ending.ABANDONED)
        self._task.cancel()

    def settle(self) -> None:
        """Close the upstream stream and pass the record to the readers; only the first call counts."""
        if self.settled:
            return
        self.settled = True
        self._task = None
        self.forget_request()
        if self._opening is not None:
            self._opening.close()
        record = self._record()
        for read in self._readers:
            try:
                read(record)
            except Exception:
                log.exception("settlement.failed", reader=repr(read))

    def _record(self) -> ExchangeRecord:
        report, charge, share = self.report, self.charge, self.fair_share
        drawn_at = charge.drawn_at if charge else 0
        for attempt in self._attempts:
            attempt.abandon()
        ending = self._ending or (Ending.BROKEN if self._first_byte else Ending.REFUSED)
        return ExchangeRecord(
            request_id=self.request_id,
            at=self.at,
            endpoint=self.endpoint,
            streamed=self.streamed,
            key_id=self.key.id if self.key else "",
            key_name=self.key.name if self.key else "",
            asked_model=_printable(self.asked_model),
            sent_model=self.sent_model,
            answered_model=report.answered_model if report else "",
            account=self.account,
            attempts=tuple(a.record for a in self._attempts if a.record is not None),
            selection_inputs=tuple(a.selection_input for a in self._attempts),
            tokens=(report.tokens if report else None) or Tokens(),
            estimated=self._estimated(),
            # At least one millisecond: 0 means that there was no first byte.
            drawn_at=drawn_at,
            drawn_tokens=charge.tokens if charge and drawn_at else 0,
            fair_share_charge=share.charge if share and share.charged else 0,
            fair_share_weight=share.weight if share and share.charged else 0.0,
            first_byte_ms=max(1, round(self._first_byte * 1000)) if self._first_byte else 0,
            total_ms=round((self._clock() - self._began) * 1000),
            silence_seconds=self.silence_seconds,
            ending=ending,
            status=self._status or self._status_of(ending),
            code=self._code,
            upstream_request_id=self.upstream_request_id,
            dropped=self.dropped,
        )

    def _estimated(self) -> int:
        """Estimated tokens of an answer that ended before its usage; 0 if known or not answered."""
        usage_known = self.report is not None and self.report.tokens is not None
        return 0 if usage_known or not self.account else self.estimate + self.received_events

    def _status_of(self, ending: Ending) -> int:
        """The status where `end` set none: 200 for an answer that has started."""
        if self._first_byte or ending in {Ending.WHOLE, Ending.SHORT}:
            return 200
        return CLIENT_LEFT if ending is Ending.ABANDONED else NO_STATUS


def _printable(model: str) -> str:
    """A model name from a client without unprintable characters, at most MODEL_LENGTH long."""
    return "".join(letter for letter in model[:MODEL_LENGTH] if letter.isprintable())
