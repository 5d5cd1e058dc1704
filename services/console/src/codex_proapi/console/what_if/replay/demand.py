"""Conversations that ask for as much, hour by hour, as was recorded. Pure, and the same for a seed.

Requests and tokens of each hour are those that were counted; which of them belong together is not
recorded. So many of them go on with a conversation as makes the recorded share of cached tokens.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.console.what_if.replay.records import Hour
from codex_proapi.console.what_if.replay.week import HOUR, Conversation, Turn

MODEL: Final = "general"
"""Stands for every model that counts in the general windows."""
USUAL_CACHED: Final = 0.85
"""Cached part of the input where conversations keep their account, if that was not tried."""
CACHE_SECONDS: Final = 1800.0
"""How long a prompt cache is kept."""
SPREAD: Final = 0.5
"""Spread of the sizes of requests (sigma of their logarithms)."""
MOST_GOING_ON: Final = 0.99
COPIED_SHIFT: Final = 2700.0
"""Most seconds by which what further people ask differs from what others asked."""


Conversations = tuple[Conversation, ...]


def cached_share(hours: Sequence[Hour]) -> float:
    """Cached part of the input tokens."""
    whole = sum(hour.tokens.input for hour in hours)
    return sum(hour.tokens.cached for hour in hours) / whole if whole else 0.0


def going_on_of(hours: Sequence[Hour], routing: Routing) -> float:
    """Part of the requests that go on with a conversation, at a first guess.

    Strictly in turn, a conversation finds no cache: what it could find was not seen.
    """
    share = USUAL_CACHED if routing is Routing.ROUND_ROBIN else cached_share(hours)
    return min(MOST_GOING_ON, share)


def corrected(going_on: float, *, recorded: float, replayed: float) -> float:
    """A better guess, after a replay gave another cached share than was recorded."""
    if replayed >= 1:
        return going_on
    return min(MOST_GOING_ON, max(0.0, 1 - (1 - going_on) * (1 - recorded) / (1 - replayed)))


def demand_of(
    hours: Sequence[Hour], *, begin: float, part: float, going_on: float, seed: int
) -> Conversations:
    """Make the conversations of some weeks.

    Args:
        hours: What was recorded.
        begin: Seconds since the epoch that are the weeks' second 0.
        part: Part of the requests to make.
        going_on: Part of them that go on with a conversation.
        seed: Another one gives other times and sizes.
    """
    dice = random.Random(seed)  # noqa: S311 - figures, no secrets
    usual = _mean(hours, lambda hour: hour.tokens.input), _mean(hours, lambda h: h.tokens.output)
    made: list[list[Turn]] = []
    factors: list[float] = []
    recent: list[int] = []
    owed, wanted = 0.0, [0.0, 0.0]
    for hour in hours:
        owed += hour.requests * part
        count = math.floor(owed)
        owed -= count
        # What was refused is in no sum of tokens, and counts as a request of the usual size.
        size, output = (
            (counted + mean * hour.refused) / max(1, hour.requests)
            for counted, mean in zip((hour.tokens.input, hour.tokens.output), usual, strict=True)
        )
        wanted = [wanted[0] + size * count, wanted[1] + output * count]
        for at in sorted(hour.at - begin + dice.random() * HOUR for _ in range(count)):
            recent = [each for each in recent if at - made[each][-1].at <= CACHE_SECONDS]
            if recent and dice.random() < going_on:
                number = dice.choice(recent)
            else:
                number = len(made)
                recent.append(number)
                made.append([])
                factors.append(_spread(dice))
            # One factor for all of a conversation: its turns have most of their input in common.
            input_, written = round(size * factors[number]), round(output * _spread(dice))
            made[number].append(Turn(round(at, 1), input_, written))
    return tuple(Conversation(model=MODEL, turns=turns) for turns in _scaled(made, *wanted))


def of_people(asked: Conversations, *, more: int, people: int, seed: int) -> Conversations:
    """The same with more people, who ask what those there are ask in the mean; or with fewer."""
    if not more or not people:
        return asked
    dice = random.Random(f"people {seed}")  # noqa: S311 - figures, no secrets
    share = more / people
    if share < 0:
        return tuple(each for each in asked if dice.random() >= -share)
    copies = []
    for conversation in asked:
        times = math.floor(share) + (dice.random() < share % 1)
        copies += [_copy(conversation, dice) for _ in range(times)]
    return (*asked, *copies)


def _copy(conversation: Conversation, dice: random.Random) -> Conversation:
    shift = dice.uniform(-COPIED_SHIFT, COPIED_SHIFT)
    turns = tuple(Turn(max(0.0, t.at + shift), t.input, t.output) for t in conversation.turns)
    return msgspec.structs.replace(conversation, turns=turns)


def _scaled(
    made: Sequence[Sequence[Turn]], input_: float, output: float
) -> Iterator[tuple[Turn, ...]]:
    """The same with so many tokens in all: a few hundred sizes by chance miss their mean by some percent."""
    inputs = sum(turn.input for turns in made for turn in turns) or 1
    outputs = sum(turn.output for turns in made for turn in turns) or 1
    more, longer = input_ / inputs, output / outputs
    for turns in made:
        yield tuple(Turn(t.at, round(t.input * more), round(t.output * longer)) for t in turns)


def _spread(dice: random.Random) -> float:
    """A factor around 1, which is its mean."""
    return dice.lognormvariate(-SPREAD * SPREAD / 2, SPREAD)


def _mean(hours: Sequence[Hour], counted: Callable[[Hour], int]) -> float:
    """What an answered request has in the mean."""
    answered = sum(hour.requests - hour.refused for hour in hours)
    return sum(map(counted, hours)) / answered if answered > 0 else 0.0
