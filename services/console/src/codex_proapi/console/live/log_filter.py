"""Filter of log entries, the same for a page and for the live stream. Pure."""

import msgspec

from codex_proapi.commons.usage.log_stream import LogEntry

MOST_WORDS = 20
"""Longest list in one filter."""


_encode = msgspec.json.Encoder().encode


class LogFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions on an entry; an empty field accepts everything."""

    levels: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    account: str = ""
    """Account id: that answered or was tried."""
    key: str = ""
    """API key, by id or name."""
    model: str = ""
    """Model: asked, sent or answered."""
    status: str = ""
    """`429`, or a class as `4xx`."""
    request_id: str = ""
    """Begin of a request id."""
    substituted: bool = False
    """Only requests that another model answered than was sent."""
    text: str = ""
    """Anywhere in the entry, in any case."""

    def may_let(self, body: str) -> bool:
        """Whether an entry may pass, by its JSON alone: most that do not need not be decoded."""
        return all(part in body for part in self._parts) and (
            not self.text or self.text.casefold() in body.casefold()
        )

    @property
    def _parts(self) -> tuple[str, ...]:
        """What is in the JSON of every entry that passes."""
        exact = (self.account, self.key, self.model, self.request_id)
        return tuple(_encode(part).decode()[1:-1] for part in exact if part)

    def lets(self, entry: LogEntry) -> bool:
        """Whether an entry passes."""
        return (
            (not self.levels or entry.level.value in self.levels)
            and (not self.kinds or entry.kind.value in self.kinds)
            and (not self.account or self.account in _accounts(entry))
            and (not self.key or self.key in _keys(entry))
            and (not self.model or self.model in _models(entry))
            and (not self.status or _has_status(entry, self.status))
            and entry.request_id.startswith(self.request_id)
            and (not self.substituted or _is_substituted(entry))
            and (not self.text or self.text.casefold() in _text(entry))
        )


def words(listed: str) -> frozenset[str]:
    """A comma-separated list."""
    parts = (part.strip() for part in listed.split(",", MOST_WORDS)[:MOST_WORDS])
    return frozenset(filter(None, parts))


def _accounts(entry: LogEntry) -> set[str]:
    tried = entry.exchange.attempts if entry.exchange else ()
    return {entry.account, *(attempt.account for attempt in tried)}


def _keys(entry: LogEntry) -> set[str]:
    return {entry.key_id, entry.exchange.key_name if entry.exchange else ""}


def _models(entry: LogEntry) -> set[str]:
    made = entry.exchange
    return {entry.model, *((made.asked_model, made.answered_model) if made else ())}


def _is_substituted(entry: LogEntry) -> bool:
    return entry.exchange is not None and entry.exchange.substituted


def _has_status(entry: LogEntry, wanted: str) -> bool:
    status = str(entry.status)
    if wanted.endswith("xx"):
        return status[:1] == wanted[:1] and len(status) == len(wanted)
    return status == wanted


def _text(entry: LogEntry) -> str:
    return _encode(entry).decode().casefold()
