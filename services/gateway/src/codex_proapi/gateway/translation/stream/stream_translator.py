"""The protocol of stream translators and aggregators, and the response report they fill.

A translator takes bytes from upstream and gives the client's bytes, one `bytes` for each read. It
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

UNKNOWN_NAMES: Final = 32
"""How many names of unknown events are told apart; the rest is counted as `other`."""


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
        """Events that no rule here knows, by name."""
        self.malformed_events = 0
        """Events that could not be read and were passed on to a client that asked for all."""
        self.response = b""
        """The finished response object as JSON, if the translator was asked to keep it."""

    def __repr__(self) -> str:
        return f"<ResponseReport {self.ending or 'open'} {self.code}>"

    def count_unknown(self, name: str) -> None:
        """Count an unknown event under a bounded set of names."""
        known = name in self.unknown_events or len(self.unknown_events) < UNKNOWN_NAMES
        self.unknown_events[name if known else "other"] += 1


class StreamTranslator(Protocol):
    """Translates one answer's bytes for a client.

    Call `feed` with every read until `done`; call `finish` when upstream closes before that. When
    either raises, or anything else ends the answer, `fail` gives the last bytes to write: what was
    translated before the fault, then the error in the stream's own form.
    """

    @property
    def report(self) -> ResponseReport:
        """The report so far."""

    @property
    def done(self) -> bool:
        """Whether the last byte is given: nothing upstream still sends matters."""

    @property
    def keep_alive(self) -> bytes:
        """What to write while upstream is silent."""

    def feed(self, data: bytes) -> bytes:
        """Take upstream's bytes; give the client's, b"" when there is nothing to write."""

    def finish(self) -> bytes:
        """Upstream has closed: give the rest, or raise `Truncated` if the answer is not whole."""

    def fail(self, error: GatewayError) -> bytes:
        """End with an error. A fold, which has no stream to write into, raises it instead."""
