"""Repeats the account selections that the lines of a gateway's log record. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from codex_proapi.commons.balancing.candidates import Selection, SelectionInput
from codex_proapi.commons.balancing.select_account import select

EVENT = "exchange.settled"
"""The event of the lines that record selections; the gateway's `access_log` writes it."""


class Line(msgspec.Struct, kw_only=True, rename={"selection_inputs": "ballots"}):
    """The fields of an exchange's log line that a replay needs."""

    event: str = ""
    request_id: str = ""
    attempts: tuple[str, ...] = ()
    """Texts that begin with the account asked."""
    selection_inputs: tuple[SelectionInput | None, ...] = ()


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt's selection, recorded and repeated."""

    request_id: str
    asked: str
    """The account that was asked."""
    again: str
    """The account selected now; the cause if there is none."""
    why: str = ""


def replayed(lines: Iterable[bytes]) -> Iterator[Replayed]:
    """Repeat every selection recorded in a log; other lines are skipped."""
    for text in lines:
        line = _line(text)
        if line is None or line.event != EVENT:
            continue
        for attempt, selection_input in zip(line.attempts, line.selection_inputs, strict=False):
            if selection_input is not None:
                yield _made_again(line.request_id, attempt, selection_input)


def _made_again(request_id: str, attempt: str, selection_input: SelectionInput) -> Replayed:
    found = select(selection_input)
    again = found.account_id if isinstance(found, Selection) else found.cause.value
    why = found.why if isinstance(found, Selection) else ""
    return Replayed(
        request_id=request_id, asked=attempt.split(" ", maxsplit=1)[0], again=again, why=why
    )


def _line(text: bytes) -> Line | None:
    """Decode a log line; None if it is not an exchange's."""
    start: Any = text.find(b"{")
    try:
        return msgspec.json.decode(text[start:], type=Line) if start >= 0 else None
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        return None
