"""What goes wrong, when and for whom: faults, the rules that give them, and markers in prompts.

Nothing is written to a socket here; `codex_backend`, `delivery` and `authorization_server` obey.
"""

import hashlib
import re
import shlex
from typing import Any

import msgspec

from codex_proapi.simulator.refusals import REFUSALS


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way in which an answer goes wrong. Every field left alone means: nothing wrong there."""

    refusal: str = ""
    """Name of a refusal: an HTTP status and its body instead of an answer."""
    status: int = 0
    """Instead of `refusal`: a status of one's own, with `body`."""
    body: Any = None
    """JSON value, or a string sent as it is."""
    headers: dict[str, str] = {}
    """Headers added to a refusal or a stream."""
    resets_in: float = 3600.0
    """Seconds until the spent window resets, in the refusals that say so."""
    retry_after: float | None = None
    """Seconds for `Retry-After`."""

    delay: float = 0.0
    """Seconds before anything is answered."""
    drop: str = ""
    """`before`: the connection is reset unprocessed; `after`: processed, the answer is lost."""

    failure: str = ""
    """Code of a failure inside the 200."""
    message: str = ""
    """What that failure says; empty: what the real one says."""
    form: str = "failed"
    """How it is told: `failed`, `error`, `error_flat`, `both`."""
    words: int = 0
    """After how many deltas the failure, the silence or the garbage comes."""

    cut_after: int | None = None
    """Stream bytes after which the connection ends."""
    cut: str = "close"
    """How it ends: `close`, `reset`, or `eof`: a proper end of the body, only too early."""
    silence: float = 0.0
    """Seconds of silence; with `words` = 0 it is before the first event."""
    pace: float = 0.0
    """Seconds between deltas."""
    dribble: int = 0
    """Bytes per write; 0: an event per write."""

    garbage: str = ""
    """Bytes that are no event: `utf8`, `giant_line`, `not_json`, `half_event`."""
    framing: str = "lf"
    """`lf`, `crlf`, `cr`, `data_only` (no event lines), `multi_line` (data over several lines), `bom`."""
    terminal: str = "completed"
    """Last event: `completed`, `none`, `twice`, `length`, `content_filter`, `done_marker`."""
    order: str = "sequential"
    """Parallel items: `sequential`, `interleaved`, `done_first` (finished in reverse order)."""
    deltas: bool = True
    """Whether there are deltas, or only finished items."""
    item_done: bool = True
    """Whether items are finished at all, or only their deltas told."""
    output: str = "empty"
    """`response.output` of the terminal event: `empty`, `full`, `null`."""
    usage: bool = True
    """Whether the terminal event counts tokens."""
    vendor_events: bool = True
    """Whether events outside the public API are mixed in."""
    comments: bool = False
    """Whether SSE comments are mixed in."""
    empty: bool = False
    """Whether the answer has no word and no call at all."""
    answered_model: str = ""
    """Another model than the one asked for answers."""
    absent: tuple[str, ...] = ()
    """Fields left out of a token answer."""


NAMED: dict[str, Fault] = {
    **{name: Fault(refusal=name) for name in REFUSALS},
    "rate_limit_exceeded": Fault(refusal="rate_limit_exceeded", retry_after=1),
    "failed": Fault(failure="server_error"),
    "failed_after_words": Fault(failure="server_error", words=2),
    "error_event": Fault(failure="server_error", form="error"),
    "overloaded_in_stream": Fault(failure="server_is_overloaded"),
    "usage_limit_in_stream": Fault(failure="usage_limit_reached"),
    "rate_limit_in_stream": Fault(failure="rate_limit_exceeded"),
    "slow_down_in_stream": Fault(failure="slow_down"),
    "truncated": Fault(cut_after=600),
    "reset": Fault(cut_after=600, cut="reset"),
    "ends_early": Fault(terminal="none"),
    "connection_reset": Fault(drop="before"),
    "answer_lost": Fault(drop="after"),
    "silent": Fault(silence=30),
    "silent_between": Fault(silence=30, words=1),
    "slow": Fault(pace=0.2),
    "slow_headers": Fault(delay=15),
    "dribble": Fault(dribble=3),
    "garbage_utf8": Fault(garbage="utf8", words=1),
    "garbage_json": Fault(garbage="not_json", words=1),
    "giant_line": Fault(garbage="giant_line", words=1),
    "half_event": Fault(garbage="half_event", words=1),
    "terminal_twice": Fault(terminal="twice"),
    "incomplete": Fault(terminal="length"),
    "content_filter": Fault(terminal="content_filter"),
    "interleaved": Fault(order="interleaved"),
    "done_first": Fault(order="done_first"),
    "full_output": Fault(output="full"),
    "empty_answer": Fault(empty=True),
    "no_item_done": Fault(item_done=False),
    "no_deltas": Fault(deltas=False),
    # The authorization server
    "refresh_token_expired": Fault(refusal="refresh_token_expired"),
    "refresh_token_reused": Fault(refusal="refresh_token_reused"),
    "refresh_token_invalidated": Fault(refusal="refresh_token_invalidated"),
    "app_session_terminated": Fault(refusal="app_session_terminated"),
    "invalid_grant": Fault(refusal="invalid_grant"),
    "authorization_pending": Fault(refusal="authorization_pending"),
    "device_slow_down": Fault(refusal="device_slow_down"),
    "deviceauth_expired": Fault(refusal="deviceauth_expired"),
    "access_denied": Fault(refusal="access_denied"),
    "no_rotation": Fault(absent=("refresh_token",)),
    "access_only": Fault(absent=("refresh_token", "id_token")),
}
"""Faults by name. `script`, the control port and markers in prompts take these names."""


class UnknownFault(Exception):
    """There is no fault of this name, or it has no such field."""


def named_fault(name: str, changes: dict[str, Any]) -> Fault:
    """The fault of this name with some fields changed."""
    if name not in NAMED:
        raise UnknownFault(f"no fault is called {name!r}; there are: {', '.join(sorted(NAMED))}")
    fields = {**msgspec.structs.asdict(NAMED[name]), **changes}
    try:
        return msgspec.convert(fields, Fault, strict=False)
    except msgspec.ValidationError as wrong:
        raise UnknownFault(f"fault {name!r}: {wrong}") from None


class Rule(msgspec.Struct, kw_only=True):
    """A fault with its conditions and how often it still applies."""

    fault: Fault
    """What goes wrong."""
    on: str = "responses"
    """Which call: `responses`, `models`, `usage`, `token`, `authorize`, `usercode`, `device_token`, `revoke`, `whoami`, `check`."""
    account: str | None = None
    """Only for the account of this name."""
    model: str | None = None
    """Only for this model."""
    times: int | None = 1
    """How often it applies; None: always."""
    skip: int = 0
    """How many matching calls pass unharmed first."""

    def matches(self, on: str, account: str | None, model: str | None) -> bool:
        """Whether it is about this call."""
        return (
            self.on == on
            and (self.account is None or self.account == account)
            and (self.model is None or self.model == model)
            and self.times != 0
        )


class FaultRules:
    """The rules in force, first match wins."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self._told_once: set[str] = set()

    def __repr__(self) -> str:
        return f"<FaultRules of {len(self.rules)} rules>"

    def add(self, rule: Rule) -> None:
        """Add a rule behind the others."""
        self.rules.append(rule)

    def clear(self) -> None:
        """Forget every rule."""
        self.rules.clear()
        self._told_once.clear()

    def take(self, on: str, *, account: str | None = None, model: str | None = None) -> Fault:
        """The fault this call meets; one without effect when all is well."""
        for rule in self.rules:
            if not rule.matches(on, account, model):
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.times is not None:
                rule.times -= 1
            return rule.fault
        return NO_FAULT

    def marked(self, prompt: str) -> Fault | None:
        """The fault a marker in the prompt asks for: `[[fault:NAME field=value … once]]`."""
        found = _MARKER.search(prompt)
        if found is None:
            return None
        name, *words = shlex.split(found.group(1))
        changes = dict(word.split("=", 1) for word in words if "=" in word)
        if "once" in words:
            digest = hashlib.sha256(prompt.encode()).hexdigest()
            if digest in self._told_once:
                return None
            self._told_once.add(digest)
        try:
            return named_fault(name, changes)
        except UnknownFault:
            return None


NO_FAULT = Fault()
_MARKER = re.compile(r"\[\[fault:([^\]]+)\]\]")
