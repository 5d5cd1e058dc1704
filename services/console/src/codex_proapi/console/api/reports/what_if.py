"""The route of what-if questions."""

from typing import Annotated

from litestar import get
from litestar.params import QueryParameter

from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.what_if.replay.question import MOST_CHANGE, Answer, Change
from codex_proapi.console.what_if.what_if import WhatIf

MoreAccounts = Annotated[int, QueryParameter(name="accounts", ge=-MOST_CHANGE, le=MOST_CHANGE)]
MorePeople = Annotated[int, QueryParameter(name="people", ge=-MOST_CHANGE, le=MOST_CHANGE)]
"""How many more; negative is fewer."""


@get("/api/what-if", tags=["usage"])
async def ask_what_if(
    *,
    what_if: Injected[WhatIf],
    more_accounts: MoreAccounts = 0,
    more_people: MorePeople = 0,
    routing: Annotated[Routing | None, QueryParameter()] = None,
) -> Answer:
    """What would have come of the last weeks with other accounts, people or another strategy.

    The last four weeks (at most) are replayed from their own hourly figures, as they were and as asked;
    that takes some seconds. `sureness` and `notes` say how far the answer holds.
    """
    return await what_if.answer(Change(accounts=more_accounts, people=more_people, routing=routing))
