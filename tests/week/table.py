"""The table of what came of weeks: the rows, and how they are printed."""

from collections.abc import Callable, Iterable, Sequence

from week.yardsticks import Knowing, blind

from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.console.what_if.replay.week import Week
from codex_proapi.console.what_if.replay.week_replay import Figures, Replay

HEAD = (
    "| week | strategy | cache hits | quota per answer | refused | asked in vain | lost at reset "
    "| moves | most streams |\n|---|---|--:|--:|--:|--:|--:|--:|--:|"
)


def _strategy(routing: Routing) -> Callable[[Week], Replay]:
    return lambda week: Replay(week, routing=routing)


def _blind(week: Week) -> Replay:
    replay = Replay(week, routing=Routing.AFFINITY)
    replay.chooser = blind
    return replay


def _knowing(week: Week) -> Replay:
    replay = Replay(week, routing=Routing.DRAIN_SOONEST)
    replay.chooser = Knowing(replay)
    return replay


ROWS: dict[str, Callable[[Week], Replay]] = {
    **{f"`{routing.value}`": _strategy(routing) for routing in Routing},
    "*affinity, blind to quota*": _blind,
    "*knows all, drains*": _knowing,
}
"""How a week is replayed, by the name of its row; yardsticks are in italics."""


def figures_of(weeks: Sequence[Week], replay: Callable[[Week], Replay]) -> Figures:
    """What came of some weeks together."""
    return sum((replay(week).run() for week in weeks), start=Figures())


def rows_of(name: str, weeks: Sequence[Week]) -> Iterable[str]:
    """The table's rows for one kind of week, as they are ready."""
    for strategy, replay in ROWS.items():
        yield row(name, strategy, figures_of(weeks, replay))


def row(name: str, strategy: str, found: Figures) -> str:
    """One row."""
    return (
        f"| {name} | {strategy} | {found.hit_rate:.1f} % | {found.price:.1f} k "
        f"| {found.refusals:.1f} % | {found.vain} | {found.waste:.1f} % | {found.moves} "
        f"| {found.streams} |"
    )
