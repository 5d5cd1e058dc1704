"""A gateway process as far as counting goes: adds batches of records until it is killed.

Run as a program with its orders as JSON: `numbers` of the records to add, which may be added again
by others. Prints `added` after each batch; repeats a batch until Redis has taken it.
"""

import asyncio
import json
import sys

from support.exchanges import a_record

from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter


async def main() -> None:
    orders = json.loads(sys.argv[1])
    redis = connect(orders["redis_url"])
    usage = SettlementWriter(redis)
    numbers = orders["numbers"]
    for begin in range(0, len(numbers), 25):
        batch = [a_record(number) for number in numbers[begin : begin + 25]]
        while True:
            try:
                await usage.add(batch)
            except StoreUnavailable:
                await asyncio.sleep(0.02)
            else:
                break
        print("added", flush=True)
    await redis.aclose()


asyncio.run(main())
