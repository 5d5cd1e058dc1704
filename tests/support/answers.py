"""Upstream answers for property tests: likely ones, with the flaws seen and worse."""

import json
from collections.abc import Callable

from hypothesis import strategies as st
from support import upstream_says as says
from support.playbook import sse

words = st.text(max_size=6) | st.sampled_from(["é😀", '"\\', "\u2028", "data: x\n\n", "\ud83d"])


def a_message(at: int, deltas: list[str], form: str) -> list[says.Body]:
    """A message told in deltas, by its end, or both."""
    id_, whole = f"msg_{at}", "".join(deltas)
    item = says.message(whole, id_=id_)
    begun = [says.added(says.message(id_=id_), at=at)] if "a" in form else []
    told = [says.text(delta, item=id_, at=at) for delta in deltas] if "d" in form else []
    ended = [says.text_done(whole, item=id_, at=at)] if "e" in form else []
    return [*begun, *told, *ended, *([says.done(item, at=at)] if "i" in form else [])]


def some_reasoning(at: int, deltas: list[str], form: str) -> list[says.Body]:
    """A reasoning item of two summary parts."""
    id_, half = f"rs_{at}", len(deltas) // 2
    parts = ["".join(deltas[:half]), "".join(deltas[half:])]
    begun = [says.added(says.reasoning(id_=id_), at=at)] if "a" in form else []
    told = [
        says.thought(delta, item=id_, at=at, part=int(i >= half)) for i, delta in enumerate(deltas)
    ]
    ended = [says.done(says.reasoning(*parts, id_=id_), at=at)] if "i" in form else []
    return [*begun, *(told if "d" in form else []), *ended]


def a_call(at: int, deltas: list[str], form: str) -> list[says.Body]:
    """A function call."""
    id_, whole = f"fc_{at}", "".join(deltas)
    item = says.call(f"tool_{at}", whole, id_=id_, call_id=f"call_{at}")
    begun = [says.added({**item, "arguments": ""}, at=at)] if "a" in form else []
    told = [says.arguments(delta, item=id_, at=at) for delta in deltas] if "d" in form else []
    ended = [says.arguments_done(whole, item=id_, at=at)] if "e" in form else []
    return [*begun, *told, *ended, *([says.done(item, at=at)] if "i" in form else [])]


Maker = Callable[[int, list[str], str], list[says.Body]]
forms = st.sampled_from(["adei", "adei", "adei", "adi", "ai", "i", "aei", "ade", "di", "d"])
items = st.lists(
    st.tuples(
        st.sampled_from([a_message, some_reasoning, a_call]), st.lists(words, max_size=4), forms
    ),
    max_size=3,
)
strange: st.SearchStrategy[says.Body] = st.sampled_from(
    [
        {"type": "codex.rate_limits", "rate_limits": {}},
        {"type": "keepalive"},
        {"type": "new.thing", "delta": "x"},
        {"type": "response.in_progress", "response": {"id": "resp_1"}},
        {"type": "response.web_search_call.searching", "item_id": "ws_1", "output_index": 0},
    ]
)
endings = st.sampled_from(
    [
        [says.completed()],
        [says.completed()],
        [says.completed(says.message("late", id_="msg_0"))],
        [{**says.completed(), "type": "response.done"}],
        [says.incomplete()],
        [says.failed("rate_limit_exceeded", "Please try again in 1s.")],
        [{"type": "error", "error": {"code": "server_error", "message": "m"}}],
        [says.completed(), says.text("after the end"), says.failed()],
        [],
    ]
)


def _shuffled(groups: list[list[says.Body]], order: list[int]) -> list[says.Body]:
    """Items told in turns: each keeps its own order."""
    queues = [list(group) for group in groups]
    told = []
    for pick in order:
        if waiting := [queue for queue in queues if queue]:
            told.append(waiting[pick % len(waiting)].pop(0))
    return told + [body for queue in queues for body in queue]


@st.composite
def answers(draw: st.DrawFn) -> list[says.Body]:
    """The events of one answer."""
    made: list[tuple[Maker, list[str], str]] = draw(items)
    groups = [make(at, deltas, form) for at, (make, deltas, form) in enumerate(made)]
    told = _shuffled(groups, draw(st.lists(st.integers(0, 3), max_size=12)))
    some: list[says.Body] = draw(st.lists(strange, max_size=2))
    for body in some:
        told.insert(draw(st.integers(0, len(told))), body)
    begun = [says.created()] if draw(st.integers(0, 4)) else []
    return [*begun, *told, *draw(endings)]


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """The bytes of one answer, with or without `event:` lines, sometimes spoilt."""
    data = encoded(draw(answers()), named=draw(st.booleans()))
    data += draw(st.sampled_from([b"", b"", b"data: [DONE]\n\n", b": bye\n\n"]))
    if draw(st.integers(0, 9)) == 0:
        data = data.replace(b"\n", draw(st.sampled_from([b"\r\n", b"\r"])))
    if data and draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(data) - 1))
        data = data[:at] + draw(st.sampled_from([b"\xff", b"", b"\n", b"{", b'"'])) + data[at + 1 :]
    return data


def encoded(bodies: list[says.Body], *, named: bool = True) -> bytes:
    """Events as bytes; halves of surrogate pairs as backends write them."""
    try:
        return sse(*bodies, named=named)
    except UnicodeEncodeError:
        return b"".join(
            (f"event: {body['type']}\n".encode() if named else b"")
            + b"data: "
            + json.dumps({"sequence_number": i, **body}).encode()
            + b"\n\n"
            for i, body in enumerate(bodies)
        )


def unnamed(data: bytes) -> bytes:
    """The same stream without `event:` lines: nothing can take a fast path."""
    return b"".join(
        line for line in data.splitlines(keepends=True) if not line.startswith(b"event:")
    )


cuts = st.lists(st.integers(0, 3000), max_size=6)
