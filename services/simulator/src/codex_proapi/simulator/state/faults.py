"""What can go wrong with one call: the fields of a fault and the faults that have a name.

Nothing is written to a socket here; `backend` and `auth` carry a fault out.
"""

from typing import Any

import msgspec

from codex_proapi.simulator.state.refusals import CLOUDFLARE_PAGE, REFUSALS


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault of an answer. A field with its default value has no effect."""

    refusal: str = ""
    """Name of a refusal, an HTTP status with a body, that replaces the answer."""
    status: int = 0
    """Instead of `refusal`: any status, with `body`."""
    body: Any = None
    """JSON value, or a string sent as it is."""
    headers: dict[str, str] = {}
    """Headers added to a refusal or a stream."""
    resets_in: float = 3600.0
    """Seconds until the spent window resets, in refusals that contain it."""
    retry_after: float | None = None
    """Seconds for `Retry-After`."""

    delay: float = 0.0
    """Seconds before anything is answered, the head included."""
    head_waits: bool = False
    """Whether the head comes only with the first delta: after `silence`, if there is any."""
    end_delay: float = 0.0
    """Seconds between the last event and the end of the body (the last, empty chunk)."""
    idle_close: float | None = None
    """Seconds after a complete answer until its idle connection is closed without `connection: close`."""
    drop: str = ""
    """`before`: the connection is reset unprocessed; `after`: processed, the answer is lost."""

    failure: str = ""
    """Code of a failure inside the 200."""
    message: str = ""
    """Message of that failure; empty for the real server's."""
    form: str = "failed"
    """Its form: `failed`, `error`, `error_flat`, `both`."""
    words: int = 0
    """Number of deltas before the failure, the silence or the invalid bytes."""

    cut_after: int | None = None
    """Stream bytes after which the connection ends."""
    cut: str = "close"
    """How it ends: `close`, `reset`, or `eof`: a proper end of the body, only too early."""
    silence: float = 0.0
    """Seconds of silence; with `words` = 0 it is before the first event."""
    late_end: float = 0.0
    """Seconds between the last event and the end of the body, as where a server closes it apart."""
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
    """Whether items are finished at all, or only their deltas sent."""
    output: str = "empty"
    """`response.output` of the terminal event: `empty`, `full`, `null`."""
    usage: bool = True
    """Whether the terminal event counts tokens."""
    unknown_events: bool = False
    """Whether events of unknown types are mixed in."""
    done_ids: str = "same"
    """Ids of finished items: `same` as when they were added, or `other`."""
    quota: str = "both"
    """Where the quota is sent: `both` (headers and an event at the start), `headers`, `event`, `late`
    (an event before the last one, no headers), or `none`."""
    vendor_events: bool = True
    """Whether events outside the public API are mixed in."""
    comments: bool = False
    """Whether SSE comments are mixed in."""
    empty: bool = False
    """Whether the answer has neither text nor a call."""
    reasons: bool = True
    """Whether the answer has a reasoning item."""
    answered_model: str = ""
    """The model that answers, if another than requested."""
    close: int = 0
    """Over WebSocket: the code with which the connection is closed, and when (`close_at`)."""
    close_at: str = "frame"
    """`frame` (before anything was made of it), `created`, `words`, `end`; of an upgrade at once."""
    never: bool = False
    """Over WebSocket: nothing but keepalives comes for a frame, for ever."""
    binary: bool = False
    """Over WebSocket: events come in binary frames."""
    pongs: bool = True
    """Over WebSocket: whether pings are answered."""
    absent: tuple[str, ...] = ()
    """Fields left out of a token answer."""


_PAGE = "<html><head><title>Error</title></head><body><h1>Error</h1></body></html>"

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
    "late_end": Fault(end_delay=5),
    "late_head": Fault(head_waits=True, silence=10),
    "idle_close": Fault(idle_close=0),
    "unknown_events": Fault(unknown_events=True),
    "other_ids": Fault(done_ids="other"),
    "quota_late": Fault(quota="late"),
    "quota_missing": Fault(quota="none"),
    "other_model": Fault(answered_model="gpt-5.6-luna"),
    # Statuses with unknown bodies, and HTML pages instead of an API's response
    **{f"bare_{status}": Fault(status=status, body="") for status in (401, 402, 403, 404, 502)},
    **{f"json_{status}": Fault(status=status, body={}) for status in (402, 403, 404)},
    **{
        f"html_{status}": Fault(status=status, body=_PAGE, headers={"content-type": "text/html"})
        for status in (402, 403, 404, 502)
    },
    "challenge_200": Fault(
        status=200, body=CLOUDFLARE_PAGE, headers={"content-type": "text/html; charset=UTF-8"}
    ),
    # Over WebSocket
    "upgrade_required": Fault(status=426, body={"detail": "Upgrade Required"}),
    "socket_silent": Fault(never=True),
    "socket_binary": Fault(binary=True),
    **{
        f"closed_{code}_{when}": Fault(close=code, close_at=when, words=int(when == "words"))
        for code in (1000, 1001, 1008, 1009, 1011)
        for when in ("frame", "created", "words", "end")
    },
    "connection_limit": Fault(refusal="websocket_connection_limit_reached"),
    "previous_not_found": Fault(refusal="previous_response_not_found"),
    "incomplete": Fault(terminal="length"),
    "content_filter": Fault(terminal="content_filter"),
    "interleaved": Fault(order="interleaved"),
    "done_first": Fault(order="done_first"),
    "full_output": Fault(output="full"),
    "empty_answer": Fault(empty=True),
    "no_reasoning": Fault(reasons=False),
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
    "token_error": Fault(status=500, body={"error": {"message": "Internal error", "code": None}}),
    "token_slow": Fault(delay=35),
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


NO_FAULT = Fault()
"""The fault without effect."""
