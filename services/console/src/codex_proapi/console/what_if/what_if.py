"""Answers what-if questions in a process of its own, which is ended when it takes too long.

Answers are kept for a while, so that a page that is looked at again costs nothing.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import Final

import msgspec

from codex_proapi.commons.runtime.tasks import SingleFlight
from codex_proapi.console.errors import WhatIfUnavailable
from codex_proapi.console.what_if.recorded import RecordReader
from codex_proapi.console.what_if.replay.question import Answer, Change, Question

MODULE: Final = "codex_proapi.console.what_if.replay"
ANSWER_SECONDS: Final = 120.0
"""How long a replay may take; on an idle machine it takes some seconds."""
KEEP_SECONDS: Final = 600.0
FAILED_SECONDS: Final = 60.0
"""How long a question that failed is not worked on again: a page that waits asks every other second."""
MOST_KEPT: Final = 64
MOST_WAITING: Final = 4
"""Questions that wait for the one that is worked on; a further one is refused."""


class WhatIf:
    """The questions of one console."""

    def __init__(self, records: RecordReader, *, clock: Callable[[], float]) -> None:
        self._records = records
        self._clock = clock
        self._flights: SingleFlight[Change, Answer] = SingleFlight()
        self._kept: dict[Change, tuple[float, Answer | None]] = {}
        self._turn = asyncio.Lock()
        self._waiting = 0

    def __repr__(self) -> str:
        return f"<WhatIf {len(self._kept)} answers, {self._waiting} waiting>"

    async def answer(self, change: Change) -> Answer:
        """The answer to a question. Raises WhatIfUnavailable."""
        at, kept = self._kept.get(change, (0.0, None))
        age = self._clock() - at
        if kept is not None and age < KEEP_SECONDS:
            return kept
        if change in self._kept and kept is None and age < FAILED_SECONDS:
            raise WhatIfUnavailable(message="The replay took too long a moment ago")
        return await self._flights.join(change, lambda: self._asked(change))

    async def answer_soon(self, change: Change, *, seconds: float) -> Answer | None:
        """The same if it is there within some seconds; else None, and it is worked on."""
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(self.answer(change), seconds)
        return None

    async def _asked(self, change: Change) -> Answer:
        if self._waiting > MOST_WAITING:
            raise WhatIfUnavailable(message="Other questions are being worked on")
        self._waiting += 1
        try:
            async with self._turn:
                question = Question(records=await self._records.read(self._clock()), change=change)
                found = await replayed(question, seconds=ANSWER_SECONDS)
        except WhatIfUnavailable:
            self._keep(change, None)
            raise
        finally:
            self._waiting -= 1
        self._keep(change, found)
        return found

    def _keep(self, change: Change, found: Answer | None) -> None:
        """Keep an answer, or that there was none."""
        self._kept.pop(change, None)
        while len(self._kept) >= MOST_KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[change] = self._clock(), found


async def replayed(question: Question, *, seconds: float) -> Answer:
    """The answer of another process. Raises WhatIfUnavailable."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", MODULE),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        written = process.communicate(msgspec.json.encode(question))
        output, _ = await asyncio.wait_for(written, seconds)
        return msgspec.json.decode(output, type=Answer)
    except TimeoutError:
        raise WhatIfUnavailable(message="The replay took too long") from None
    except msgspec.DecodeError:
        raise WhatIfUnavailable(message="The replay ended without an answer") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
