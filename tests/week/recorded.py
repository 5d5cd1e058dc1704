"""What Redis would have recorded of a synthetic week: hourly figures and windows, no conversation."""

from collections import defaultdict
from collections.abc import Iterable

from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.console.what_if.replay.pool import EPOCH
from codex_proapi.console.what_if.replay.records import (
    Hour,
    RecordedAccount,
    RecordedWindow,
    Records,
    Tokens,
)
from codex_proapi.console.what_if.replay.upstream import Meter
from codex_proapi.console.what_if.replay.week import HOUR, Turn, Week
from codex_proapi.console.what_if.replay.week_replay import Figures, Replay

Served = tuple[Turn, str, int]


def recorded(week: Week, *, routing: Routing, people: int = 10) -> tuple[Figures, Records]:
    """Replay a week; gives what came of it, and what would be known of that."""
    served: list[Served] = []
    replay = Replay(week, routing=routing, note=lambda *each: served.append(each))
    figures = replay.run()
    hours: dict[int, list[Served]] = defaultdict(list)
    for each in served:
        hours[int(each[0].at // HOUR)].append(each)
    accounts = tuple(
        RecordedAccount(
            id=account.member.id,
            plan="plus",
            weight=account.member.weight,
            windows=tuple(
                _window(meter, [each for each in served if each[1] == account.member.id])
                for meter in account.general
            ),
        )
        for account in replay.accounts.values()
    )
    return figures, Records(
        now=EPOCH + week.seconds,
        since=EPOCH,
        hours=tuple(
            Hour(
                at=int(EPOCH + number * HOUR),
                requests=len(each),
                refused=sum(not account for _, account, _ in each),
                tokens=_tokens(each),
            )
            for number, each in sorted(hours.items())
        ),
        people=people,
        accounts=accounts,
        routing=routing,
    )


def _window(meter: Meter, served: Iterable[Served]) -> RecordedWindow:
    begun = meter.ends - meter.length
    return RecordedWindow(
        minutes=meter.limit.minutes,
        used=meter.used,
        resets_at=EPOCH + meter.ends if meter.ends < float("inf") else 0.0,
        spent=_tokens([each for each in served if each[0].at >= begun]),
    )


def _tokens(served: Iterable[Served]) -> Tokens:
    counted = [(turn, cached) for turn, account, cached in served if account]
    return Tokens(
        input=sum(turn.input for turn, _ in counted),
        cached=sum(cached for _, cached in counted),
        output=sum(turn.output for turn, _ in counted),
    )
