"""What the gateways of a storm wrote to their logs: every choice made again, and the usage summed."""

import collections
import pathlib
from dataclasses import dataclass, field

import msgspec
from storm.dialects import Spent

from codex_proapi.commons.balancing.candidates import SelectionInput
from codex_proapi.gateway.exchange.access_log import EVENT
from codex_proapi.local.replayed_log import replayed


class Line(msgspec.Struct, kw_only=True, rename={"selection_inputs": "ballots"}):
    """What is held against the truth of one settled exchange's line."""

    event: str
    request_id: str = ""
    ending: str = ""
    key_id: str = ""
    account: str = ""
    attempts: tuple[str, ...] = ()
    selection_inputs: tuple[SelectionInput | None, ...] = ()
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass
class Told:
    """What all lines together tell."""

    choices: int = 0
    """Made again."""
    waited: int = 0
    """Attempts that waited for a slot."""
    turns: int = 0
    """Positions of the cursor that somebody took and told of."""
    highest: int = 0
    """The highest of them."""
    spent: dict[str, Spent] = field(default_factory=dict)
    """What whole answers cost, by key."""
    faults: list[str] = field(default_factory=list)
    """Where the lines contradict themselves or each other."""

    @property
    def dense(self) -> float:
        """The part of the turns that is told of; refused requests and full accounts cost one too."""
        return self.turns / max(self.highest, 1)


def told(folder: pathlib.Path) -> Told:
    """Read the logs of all gateways, of the killed ones too."""
    texts = [t for log in folder.glob("gateway-*.log") for t in log.read_bytes().splitlines()]
    found = Told()
    for each in replayed(texts):
        found.choices += 1
        if each.asked != each.again:
            found.faults.append(f"{each.request_id} asked {each.asked}, again: {each.again}")
    takers: dict[int, set[str]] = collections.defaultdict(set)
    for line in filter(None, map(_line, texts)):
        _read(line, found, takers)
    found.turns, found.highest = len(takers), max(takers, default=0)
    found.faults += [
        f"turn {cursor} was taken by {', '.join(sorted(ids))}"
        for cursor, ids in takers.items()
        if len(ids) > 1
    ]
    return found


def _read(line: Line, found: Told, takers: dict[int, set[str]]) -> None:
    found.waited += sum("; waited " in attempt for attempt in line.attempts)
    for selection_input in line.selection_inputs:
        if selection_input is not None and selection_input.cursor is not None:
            takers[selection_input.cursor].add(line.request_id)
    if line.ending not in {"whole", "short"}:
        return
    answered = [text.split() for text in line.attempts if text.split()[1] == "committed:"]
    if not answered or answered[-1][0] != line.account or not any(line.selection_inputs):
        found.faults.append(f"{line.request_id} was answered by {line.account}: {line.attempts}")
    cost = Spent(
        answers=1,
        input=line.input_tokens,
        cached=line.cached_tokens,
        output=line.output_tokens,
        reasoning=line.reasoning_tokens,
    )
    found.spent.setdefault(line.key_id, Spent()).add(cost)


def _line(text: bytes) -> Line | None:
    """A settled exchange's line; None for others, and for one that a kill has cut."""
    try:
        line = msgspec.json.decode(text, type=Line)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
    return line if line.event == EVENT else None
