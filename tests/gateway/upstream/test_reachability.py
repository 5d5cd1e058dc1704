from typing import Any

import pytest

from codex_proapi.gateway.upstream.reachability import FAILURES, PROBE_SECONDS, Reachability


class Prober:
    """Connects as a test wants it to."""

    def __init__(self, *causes: str) -> None:
        self.causes = list(causes)

    async def probe(self) -> str:
        return self.causes.pop(0)


class Done(Exception):
    """Enough rounds."""


def test_several_failures_in_a_row_and_only_those_mean_that_it_is_lost() -> None:
    counted: list[str] = []
    way = Reachability(count=counted.append)

    for _ in range(FAILURES - 1):
        way.failed("tls: certificate has expired")
    way.reached()
    for _ in range(FAILURES - 1):
        way.failed("dns: Name or service not known")
    assert not way.lost

    way.failed("closed")
    assert way.lost
    assert counted == ["tls", "tls", "dns", "dns", "other"]


async def test_while_it_is_lost_connections_are_tried_until_one_can_be_made() -> None:
    prober = Prober("timeout: tcp", "")
    way = Reachability(prober)
    for _ in range(FAILURES):
        way.failed("tcp: ConnectionRefusedError")
    lost: list[Any] = []

    async def sleep(seconds: float) -> None:
        assert seconds == PROBE_SECONDS
        lost.append(way.lost)
        if len(lost) == 4:
            raise Done

    with pytest.raises(Done):
        await way.run(sleep)

    assert lost == [True, True, False, False]
    assert prober.causes == []
