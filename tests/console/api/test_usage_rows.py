"""Rows of a long day are made and written in parts."""

from collections.abc import AsyncIterator, Mapping

import msgspec

from codex_proapi.commons.prices.token_costs import Cost
from codex_proapi.commons.usage.sums import Counters, Sums
from codex_proapi.console.api.usage_rows import (
    ROWS_AT_ONCE,
    Period,
    UsageBody,
    csv_parts,
    json_parts,
    rows_of,
)

DAY = "2026-11-24"
SUMS = {f"key_{n:04}": Counters(requests=1, input=n % 7, output=n % 3) for n in range(601)}
COSTS = {subject: Cost() for subject in SUMS}


async def one_day() -> AsyncIterator[Period]:
    yield DAY, SUMS


async def costs(_period: str, _sums: Sums) -> Mapping[str, Cost]:
    return COSTS


async def test_the_parts_of_a_day_have_its_rows_in_one_order() -> None:
    whole = rows_of(DAY, SUMS, {}, COSTS)
    body = UsageBody(by="key", time_zone="UTC", since=DAY, until=DAY, rows=[])

    parts = [part async for part in json_parts(body, one_day(), {}, costs)]
    lines = [part async for part in csv_parts(one_day(), {}, costs, time_zone="UTC")]

    assert max(part.count(b'"subject"') for part in parts) == ROWS_AT_ONCE
    assert msgspec.json.decode(b"".join(parts), type=UsageBody).rows == whole
    told = [line.split(",")[1] for line in "".join(lines).splitlines()[1:]]
    assert told == [row.subject for row in whole]
