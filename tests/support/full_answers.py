"""Upstream answers as the backend tells them, with every event; for property tests, with oddities."""

import json
from typing import Any

from hypothesis import strategies as st
from support import upstream_says as says

WORDS = st.text(max_size=4) | st.sampled_from(
    ["é😀", '"\\', "data: x", "\ud83d", "Hello", " world"]
)
CITATION = {"type": "url_citation", "url": "https://x", "title": "X", "start_index": 0}
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 7,
    "status": "in_progress",
    "model": "gpt-5.5",
    "instructions": "Answer.",
    "output": [],
    "usage": None,
    "metadata": {},
}


def about(kind: str, item: str, at: int, **fields: Any) -> says.Body:
    """An event about an item."""
    return {"type": f"response.{kind}", "item_id": item, "output_index": at, **fields}


@st.composite
def messages(draw: st.DrawFn, at: int) -> list[says.Body]:
    """A message of some parts, each with all its events."""
    id_, phase = f"msg_{at}", draw(st.sampled_from([None, None, "commentary", "final_answer"]))
    parts: list[says.Body] = []
    told: list[says.Body] = []
    for number in range(draw(st.sampled_from([1, 1, 1, 0, 2]))):
        refuses, deltas = draw(st.integers(0, 9)) == 0, draw(st.lists(WORDS, max_size=4))
        kind, field = ("refusal", "refusal") if refuses else ("output_text", "text")
        cited = [] if refuses else draw(st.sampled_from([[], [], [], [CITATION], [{"type": "x"}]]))
        more: says.Body = {} if refuses else {"logprobs": []}
        begun = {"type": kind, field: "", **({} if refuses else {"annotations": [], **more})}
        part = {**begun, field: "".join(deltas), **({} if refuses else {"annotations": cited})}
        parts.append(part)
        where: says.Body = {"content_index": number}
        told += [
            about("content_part.added", id_, at, **where, part=begun),
            *(about(f"{kind}.delta", id_, at, **where, delta=d, **more) for d in deltas),
            about(f"{kind}.done", id_, at, **where, **{field: part[field]}, **more),
            about("content_part.done", id_, at, **where, part=part),
        ]
    item = {"id": id_, "type": "message", "role": "assistant"}
    item |= {} if phase is None else {"phase": phase}
    return [
        says.added({**item, "status": "in_progress", "content": []}, at=at),
        *told,
        says.done({**item, "status": "completed", "content": parts}, at=at),
    ]


@st.composite
def thoughts(draw: st.DrawFn, at: int) -> list[says.Body]:
    """A reasoning item with its summary."""
    id_, words = f"rs_{at}", draw(st.lists(WORDS, max_size=2))
    told: list[says.Body] = []
    for number, word in enumerate(words):
        where: says.Body = {"summary_index": number}
        part = {"type": "summary_text", "text": word}
        told += [
            about("reasoning_summary_part.added", id_, at, **where, part={**part, "text": ""}),
            about("reasoning_summary_text.delta", id_, at, **where, delta=word),
            about("reasoning_summary_text.done", id_, at, **where, text=word),
            about("reasoning_summary_part.done", id_, at, **where, part=part),
        ]
    item = says.reasoning(*words, id_=id_)
    return [says.added({**item, "summary": []}, at=at), *told, says.done(item, at=at)]


@st.composite
def calls(draw: st.DrawFn, at: int) -> list[says.Body]:
    """A call of a function, in the namespace of plain tools or of others."""
    id_ = f"fc_{at}"
    arguments = draw(st.sampled_from(['{"path": "é"}', "{}", "", "no JSON"]))
    item = {**says.call("short", arguments, id_=id_), "status": "completed"}
    item |= draw(st.sampled_from([{}, {"namespace": "functions"}, {"namespace": "x"}]))
    half = len(arguments) // 2
    deltas = [delta for delta in (arguments[:half], arguments[half:]) if delta]
    return [
        says.added({**item, "arguments": "", "status": "in_progress"}, at=at),
        *(says.arguments(delta, item=id_, at=at) for delta in deltas),
        says.arguments_done(arguments, item=id_, at=at),
        says.done(item, at=at),
    ]


@st.composite
def images(draw: st.DrawFn, at: int) -> list[says.Body]:
    """A picture, and a part of it before."""
    id_, item = f"ig_{at}", {"id": f"ig_{at}", "type": "image_generation_call", "result": "aGk="}
    kinds = draw(st.sampled_from([["in_progress", "generating"], []]))
    partial = about("image_generation_call.partial_image", id_, at, partial_image_b64="aG")
    return [
        says.added({**item, "status": "in_progress"}, at=at),
        *(about(f"image_generation_call.{kind}", id_, at) for kind in kinds),
        partial,
        says.done({**item, "status": "completed"}, at=at),
    ]


ODD_VALUES = st.sampled_from([None, "", "other", 0, 1, 7, -1, True, 1.5, [], ["x"], {}, {"a": 1}])


@st.composite
def spoilt(draw: st.DrawFn, body: says.Body) -> says.Body:
    """The event without one of its fields, or its item's, or with another value for it.

    Deltas are as they should be: of one that is copied only the fields that tell its position are read.
    """
    if body["type"].endswith(".delta"):
        return body
    spoilt: says.Body = json.loads(json.dumps(body))
    inner = [spoilt[name] for name in ("item", "part", "response") if spoilt.get(name)]
    fields = draw(st.sampled_from([spoilt, *inner]))
    name = draw(st.sampled_from(sorted(fields)))
    if name == "type" and fields is spoilt:
        return body
    if draw(st.booleans()):
        del fields[name]
    else:
        fields[name] = draw(ODD_VALUES)
    return spoilt


@st.composite
def answers(draw: st.DrawFn) -> list[says.Body]:
    """The events of one answer, nearly always whole."""
    makers = [messages, messages, messages, thoughts, calls, images]
    groups = [draw(draw(st.sampled_from(makers))(at)) for at in range(draw(st.integers(1, 3)))]
    output = [group[-1]["item"] for group in groups]
    ended = {**RESPONSE, "status": "completed", "output": output, "usage": says.USAGE}
    told = [
        {"type": "response.created", "response": RESPONSE},
        {"type": "response.in_progress", "response": RESPONSE},
        *(body for group in groups for body in group),
        {"type": "response.completed", "response": ended},
    ]
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(told) - 1))
        match draw(st.sampled_from(["spoil", "spoil", "drop", "repeat", "move", "insert"])):
            case "spoil":
                told[at] = draw(spoilt(told[at]))
            case "drop":
                del told[at]
            case "repeat":
                told.insert(draw(st.integers(0, len(told))), told[at])
            case "move":
                told.insert(draw(st.integers(0, len(told) - 1)), told.pop(at))
            case _:
                told.insert(at, draw(st.sampled_from(STRANGE)))
        if not told:
            break
    return told


STRANGE: list[says.Body] = [
    {"type": "codex.rate_limits", "rate_limits": {}},
    {"type": "keepalive"},
    {"type": "response.in_progress", "response": {**RESPONSE, "model": "other"}},
    {"type": "response.queued", "response": {"id": "resp_2", "service_tier": "flex"}},
    {"type": "response.created", "response": {**RESPONSE, "mood": 1}},
    about("output_text.annotation.added", "msg_0", 0, annotation=CITATION),
    says.text_done("whole", item="msg_0"),
    says.incomplete(),
]


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """An answer as the backend writes it: `type` first, the other fields in the alphabet's order."""
    bodies = draw(answers())
    numbers = draw(st.sampled_from(["theirs", "theirs", "later", "none"]))
    data = b""
    for number, body in enumerate(bodies, 5 if numbers == "later" else 0):
        fields = {**body} if numbers == "none" else {**body, "sequence_number": number}
        names = sorted(fields, key=lambda name: (name != "type", name))
        if draw(st.integers(0, 9)) == 0:
            names = draw(st.permutations(names))
        separators = draw(st.sampled_from([(",", ":")] * 3 + [(", ", ": ")]))
        text = json.dumps({name: fields[name] for name in names}, separators=separators)
        data += f"event: {body['type']}\ndata: {text}\n\n".encode()
    return data
