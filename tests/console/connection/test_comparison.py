"""What follows for UPSTREAM_TRANSPORT from the times of turns."""

from collections.abc import Sequence

import pytest

from codex_proapi.console.connection.comparison import (
    Transport,
    Turn,
    comparison_of,
    percentile,
    summary_of,
)


def turns(transport: Transport, firsts: Sequence[float], *, faults: int = 0) -> list[Turn]:
    whole = [Turn(transport=transport, connected=0.1, first=f, total=f + 1) for f in firsts]
    return whole + [Turn(transport=transport, fault="http_503") for _ in range(faults)]


def recommended(post: list[Turn], socket: list[Turn]) -> str:
    return comparison_of("gpt-5.5", [*post, *socket]).recommended


@pytest.mark.parametrize(
    ("post", "socket", "faults", "setting"),
    [
        ([4.0] * 10, [1.0] * 10, 0, "websocket"),
        ([4.0] * 10, [1.0] * 8, 2, "auto"),
        ([4.0] * 10, [1.0] * 4, 6, "http"),
        ([1.0] * 10, [0.9] * 10, 0, "http"),
        ([1.0] * 10, [3.0] * 10, 0, "http"),
        ([1.0] * 4, [0.1] * 10, 0, ""),
    ],
)
def test_what_to_set(post: list[float], socket: list[float], faults: int, setting: str) -> None:
    over = turns(Transport.WEBSOCKET, socket, faults=faults)

    assert recommended(turns(Transport.HTTP, post), over) == setting


def test_the_figures_are_of_whole_answers() -> None:
    own = turns(Transport.HTTP, [0.5, 1.0, 2.0, 3.0, 9.0], faults=2)
    found = summary_of(Transport.HTTP, [*own, *turns(Transport.WEBSOCKET, [7.0])])

    assert (found.turns, found.failed, found.faults) == (7, 2, {"http_503": 2})
    assert (found.first_p50, found.first_p90, found.total_p50) == (2.0, 9.0, 3.0)


def test_percentiles_are_of_the_nearest_rank() -> None:
    assert percentile([], 50) == 0.0
    assert [percentile([3, 1, 2, 4], p) for p in (1, 50, 75, 90, 100)] == [1, 2, 3, 4, 4]
