"""It adds up when things break: gateways and Redis are killed under load, and the figures are right."""

import asyncio
import pathlib

from storm.log_lines import told
from storm.scenario import Storm, storm
from storm.workload import (
    ACCOUNTS,
    DEEDS,
    REVOKED_SECONDS,
    STREAMS,
    TEAM,
    faults_of,
    has_met_its_limits,
    has_met_its_share,
    shares_of,
)


async def test_after_a_storm_the_counters_are_right_and_no_limit_was_passed(
    tmp_path: pathlib.Path,
) -> None:
    async with storm(tmp_path, TEAM, accounts=ACCOUNTS, ACCOUNT_STREAMS=str(STREAMS)) as the:
        await the.rage(DEEDS, clients=12, calm_seconds=1, enough=has_met_its_limits)
        seen = await the.share(enough=has_met_its_share)

        assert await faults_of(the, seen) == []
        assert sum(spent.answers for spent in seen.spent.values()) > 200
        assert seen.left > 5
        assert 0 < shares_of(seen)["hugo"] < 2

        lines = told(tmp_path)
        assert lines.choices > 200
        assert lines.waited > 0

        await asyncio.gather(*map(the.fleet.ready, range(len(the.fleet.ports))))
        assert await the.statuses("alice") == [200] * len(the.fleet.ports)
        assert await the.revoke("alice") < REVOKED_SECONDS


async def test_usage_survives_a_redis_that_loses_its_last_second(tmp_path: pathlib.Path) -> None:
    async with storm(tmp_path, TEAM, accounts=("ada",), gateways=2) as the:
        seen = await the.rage([Storm.cut_power], clients=6, calm_seconds=2)

        counted, truth = await the.counted(), the.truth(seen)
        assert seen.spent
        for kind, true in truth.items():
            for subject, spent in true.items():
                found = counted[kind][subject]
                assert (found.input, found.output) == (spent.input, spent.output)
