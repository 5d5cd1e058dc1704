"""Who asks in a storm, what goes wrong in it, and what is right afterwards."""

from storm.crowd import Seen, Spent
from storm.weather import Storm, Who, drift

from commons.allowances import STREAM_SECONDS
from commons.limits import Limits
from commons.usage import Counters

TEAM = (
    Who("alice"),
    Who("bob", Limits(concurrent=2)),
    Who("carol", leaves=True),
    Who("dave", Limits(rpm=60)),
    Who("erin", Limits(tokens_day=4_000)),
)
DEEDS = (
    Storm.kill_gateway,
    Storm.restart_redis,
    Storm.kill_gateway,
    Storm.freeze_redis,
    Storm.kill_gateway,
)
MOST_DRIFT = 0.001
"""How far the counters may be off, as a part of the truth."""
MOST_UNDER_WAY = 400
"""More tokens than answers cost that are under way when a budget is spent: nobody knows before."""
HEALED_SECONDS = 60
REVOKED_SECONDS = 2


async def faults_of(the: Storm, seen: Seen) -> list[str]:
    """What is wrong after a storm of less than a minute, in words; nothing if all is well."""
    counted, truth = await the.counted(), the.truth(seen)
    return [
        *(fault for kind in truth for fault in _drifted(kind, counted[kind], truth[kind])),
        *_passed(the, counted["key"]),
        *(await _held(the)),
    ]


def _drifted(kind: str, counted: dict[str, Counters], truth: dict[str, Spent]) -> list[str]:
    return [
        f"{tokens} tokens by {kind} are off by {part:+.3%}"
        for tokens, part in drift(counted, truth).items()
        if abs(part) > MOST_DRIFT
    ]


def _passed(the: Storm, counted: dict[str, Counters]) -> list[str]:
    found = []
    by_name = {who.name: who for who in TEAM}
    if the.asked("dave") > by_name["dave"].limits.rpm:
        found.append(f"dave asked {the.asked('dave')} times in a minute")
    if the.at_once("bob") > by_name["bob"].limits.concurrent:
        found.append(f"bob had {the.at_once('bob')} answers at once")
    spent = counted[the.ids["erin"]]
    if spent.input + spent.output >= by_name["erin"].limits.tokens_day + MOST_UNDER_WAY:
        found.append(f"erin spent {spent.input + spent.output} tokens in a day")
    return found


async def _held(the: Storm) -> list[str]:
    """Places that nobody gives back are free again when their lease ends."""
    seconds, _ = await the.redis.time()
    late = [until - seconds for until in await the.places() if until - seconds > STREAM_SECONDS + 1]
    return [f"a place is held for {most:.0f} s more" for most in late]
