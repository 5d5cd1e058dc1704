"""Who asks in a storm, what goes wrong in it, and what is right afterwards."""

from collections.abc import Mapping

from storm.clients import Seen
from storm.dialects import Spent
from storm.log_lines import told
from storm.scenario import Storm, Who, drift

from codex_proapi.commons.api_keys.fair_shares import AHEAD
from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.usage.counters import Counters
from codex_proapi.gateway.limits.limit_charge import STREAM_SECONDS
from codex_proapi.gateway.pool.queueing_selector import QUEUE_SECONDS

TEAM = (
    Who("alice"),
    Who("bob", Limits(concurrent=2)),
    Who("carol", leaves=True),
    Who("dave", Limits(rpm=30)),
    Who("erin", Limits(tokens_day=2_000)),
    Who("frank", Limits(tpm=1_000)),
    Who("gina", weight=2, wordy=True),
    Who("hugo", wordy=True),
)
ACCOUNTS = ("ada", "ben", "cleo")
STREAMS = 4
"""Answers that each of them gives at a time."""
DEEDS = (
    Storm.run_short,
    Storm.kill_gateway,
    Storm.spend_account,
    Storm.restart_redis,
    Storm.kill_gateway,
    Storm.refill_account,
    Storm.freeze_redis,
    Storm.kill_gateway,
)
MOST_DRIFT = 0.001
"""How far the counters may be off, as a part of the truth."""
MOST_UNDER_WAY = 400
"""More tokens than answers cost that are under way when a limit is reached: nobody knows before."""
MINUTE = 60
HEALED_SECONDS = 60
REVOKED_SECONDS = 2


async def faults_of(the: Storm, seen: Seen) -> list[str]:
    """What is wrong after a storm, in words; nothing if all is well."""
    counted, truth, lines = await the.counted(), the.truth(seen), told(the.logs)
    dying = the.dying()
    return [
        *(fault for kind in truth for fault in _drifted(kind, counted[kind], truth[kind], dying)),
        *_drifted("line", lines.spent, truth["key"], dying),
        *lines.faults,
        *_passed(the, counted["key"]),
        *_unfair(seen),
        *(await _held(the)),
    ]


def _drifted(
    kind: str,
    counted: Mapping[str, Counters | Spent],
    truth: Mapping[str, Spent],
    dying: Spent,
) -> list[str]:
    """What is missing beyond what killed gateways had no time for, and what is too much."""
    found = []
    for tokens, part in drift(counted, truth).items():
        true = max(1, sum(getattr(each, tokens) for each in truth.values()))
        if not -MOST_DRIFT - getattr(dying, tokens) / true <= part <= MOST_DRIFT:
            found.append(f"{tokens} tokens by {kind} are off by {part:+.3%}")
    return found


def asked(the: Storm) -> int:
    """How many of dave's requests the backend got, at most, of those that one minute admitted.

    It gets some later: they wait for a slot first.
    """
    return the.most_within("dave", MINUTE - QUEUE_SECONDS, lambda _: 1)


def spent(the: Storm) -> int:
    """How many tokens frank spent, at most, in what one minute admitted."""
    return the.most_within("frank", MINUTE - QUEUE_SECONDS, lambda cost: cost.tokens)


def has_met_its_limits(seen: Seen) -> bool:
    """Whether everybody with a limit has been refused for it."""
    return all(seen.statuses[who.name, 429] for who in TEAM if who.limits != Limits())


def has_met_its_share(seen: Seen) -> bool:
    """Whether everybody whose requests are long was told, more than once, to wait for the others."""
    return all(seen.statuses[who.name, 429] > 1 for who in TEAM if who.wordy)


def _passed(the: Storm, counted: dict[str, Counters]) -> list[str]:
    limits = {who.name: who.limits for who in TEAM}
    erin = counted[the.ids["erin"]]
    of_a_day = erin.input + erin.output
    found = []
    if asked(the) > limits["dave"].rpm:
        found.append(f"dave asked {asked(the)} times in a minute")
    if the.at_once("bob") > limits["bob"].concurrent:
        found.append(f"bob had {the.at_once('bob')} answers at once")
    if of_a_day >= limits["erin"].tokens_day + MOST_UNDER_WAY:
        found.append(f"erin spent {of_a_day} tokens in a day")
    if spent(the) >= limits["frank"].tpm + MOST_UNDER_WAY:
        found.append(f"frank spent {spent(the)} tokens in a minute")
    found += [
        f"{account} gave {the.at_once_on(account)} answers at once"
        for account in ACCOUNTS
        if the.at_once_on(account) > STREAMS
    ]
    return found


def shares_of(seen: Seen) -> dict[str, float]:
    """What those whose requests are long have had of the scarce pool, by weight, in requests of AHEAD."""
    return {
        who.name: (spent.input - spent.cached + spent.output) / who.weight / AHEAD
        for who in TEAM
        if who.wordy
        for spent in [seen.of(who.name)]
    }


def _unfair(seen: Seen) -> list[str]:
    """Nobody is further ahead of those who ask little than what they may, and two requests more.

    One because the last is admitted while its owner is just below; one because a replica may know
    for a second longer of more quota than there is.
    """
    found = []
    for who in TEAM:
        spent = seen.of(who.name)
        if who.wordy and spent.answers:
            cost = (spent.input - spent.cached + spent.output) / who.weight
            if cost > AHEAD + 2 * cost / spent.answers + MOST_UNDER_WAY * len(TEAM):
                found.append(f"{who.name} had {cost:.0f} tokens by weight")
    return found


async def _held(the: Storm) -> list[str]:
    """Places and slots that nobody gives back are free again when their lease ends."""
    seconds, _ = await the.redis.time()
    places = [until - seconds for until in await the.places()]
    slots = [until - seconds for until in await the.slots()]
    return [
        f"something is held for {most:.0f} s more"
        for most in places + slots
        if most > max(STREAM_SECONDS, QUEUE_SECONDS) + 1
    ]
