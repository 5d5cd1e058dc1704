"""The protocol of stream translators and aggregators, and the response report they fill.

A translator turns upstream's bytes into the client's, one `bytes` for each read. It
uses no socket, clock or account; the response pump decides when to write and what to retry.
"""

from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol

from codex_proapi.gateway.errors import GatewayError

if TYPE_CHECKING:
    from codex_proapi.commons.codex.quota_parser import Quota
    from codex_proapi.commons.usage.exchange_record import Ending
    from codex_proapi.commons.usage.token_counts import Tokens
    from codex_proapi.gateway.formats.codex.refusals import Refusal

NONE: Final[frozenset[str]] = frozenset()
UNKNOWN_NAMES: Final = 32
"""Most names of unknown events that are counted separately; the rest counts as `other`."""


class ResponseReport:
    """The response report: what a translator observed in its answer, for the settlement."""

    def __init__(self) -> None:
        self.tokens: Tokens | None = None
        """Usage from the terminal event, also of a failed answer; None if upstream sent none."""
        self.account = ""
        """Id of the account that answers, noted before its first byte; never written for clients."""
        self.answered_model = ""
        """The model named by upstream."""
        self.response_id = ""
        """The response's id, as the client knows it."""
        self.ending: Ending | None = None
        """WHOLE, SHORT or BROKEN; None while the answer is under way."""
        self.code = ""
        """Error code of a failure, or why the answer is short."""
        self.refusal: Refusal | None = None
        """A failure that upstream reported inside the stream."""
        self.quota: Quota | None = None
        """Quota from rate limit events."""
        self.metadata: dict[str, str] = {}
        """Late response headers from metadata events, lower case: turn state and the like."""
        self.unknown_events: Counter[str] = Counter()
        """Number of unknown events, by name."""
        self.unknown_fields: frozenset[str] = NONE
        """Fields of its response object that are not known."""
        self.events = 0
        """Number of events that have come, whatever they are."""
        self.malformed_events = 0
        """Number of unreadable events that were forwarded to a Codex client."""
        self.response = b""
        """The finished response object as JSON, if the options say to keep it."""

    def __repr__(self) -> str:
        return f"<ResponseReport {self.ending or 'open'} {self.code}>"

    def count_unknown(self, name: str) -> None:
        """Count an unknown event under a bounded set of names."""
        known = name in self.unknown_events or len(self.unknown_events) < UNKNOWN_NAMES
        self.unknown_events[name if known else "other"] += 1


class StreamTranslator(Protocol):
    """Translates one answer's bytes for a client.

    Call `feed` with every read until `done`; call `finish` when upstream closes before that. When
    either raises, or anything else ends the answer, `fail` returns the last bytes to write: what was
    translated before the fault, then the error in the stream's own form.
    """

    @property
    def report(self) -> ResponseReport:
        """The report so far."""

    @property
    def done(self) -> bool:
        """Whether the answer is complete; what upstream still sends is irrelevant."""

    @property
    def keep_alive(self) -> bytes:
        """The bytes to write while upstream sends nothing."""

    def feed(self, data: bytes) -> bytes:
        """Translate upstream's bytes into the client's; b"" if there is nothing to write."""

    def finish(self) -> bytes:
        """Return the rest when upstream has closed. Raises `Truncated` if the answer is incomplete."""

    def fail(self, error: GatewayError) -> bytes:
        """Return the last bytes, with an error. An aggregator, without a stream, raises it."""
