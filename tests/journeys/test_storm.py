"""It adds up when things break: gateways and Redis are killed under load, and the figures are right."""

import asyncio
import pathlib

from storm.team import DEEDS, REVOKED_SECONDS, TEAM, faults_of
from storm.weather import storm


async def test_after_a_storm_the_counters_are_right_and_no_limit_was_passed(
    tmp_path: pathlib.Path,
) -> None:
    async with storm(tmp_path, TEAM, accounts=("ada", "ben", "cleo")) as the:
        seen = await the.rage(DEEDS, clients=12, calm_seconds=3)

        assert await faults_of(the, seen) == []
        assert sum(spent.answers for spent in seen.spent.values()) > 300
        assert seen.left > 10
        assert seen.statuses["dave", 429] > 0
        assert seen.statuses["bob", 429] > 0
        assert seen.statuses["erin", 429] > 0

        await asyncio.gather(*map(the.fleet.ready, range(len(the.fleet.ports))))
        assert await the.statuses("alice") == [200] * len(the.fleet.ports)
        assert await the.revoke("alice") < REVOKED_SECONDS
