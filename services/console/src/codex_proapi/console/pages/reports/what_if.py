"""The what-if page: the last weeks as they were, and with something changed, side by side."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final
from urllib.parse import urlencode

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.console.errors import WhatIfUnavailable
from codex_proapi.console.layout.layout import AnyRequest, page
from codex_proapi.console.pages.settings import ROUTINGS
from codex_proapi.console.texts.phrases import N_
from codex_proapi.console.views.account_list import load_accounts
from codex_proapi.console.views.sources import Sources
from codex_proapi.console.views.what_if_figures import NOTES, SURENESS, FigureRow, rows_of
from codex_proapi.console.what_if.replay.question import MOST_CHANGE, Answer, Change
from codex_proapi.console.what_if.what_if import WhatIf

SOON: Final = 0.5
"""Seconds that a page waits for an answer; then it says that one is worked on, and asks again."""
PRESETS: Final[Sequence[tuple[str, Change]]] = (
    (N_("One more account"), Change(accounts=1)),
    (N_("One account fewer"), Change(accounts=-1)),
    (N_("Two more people"), Change(people=2)),
)
MoreAccounts = Annotated[int, QueryParameter(name="accounts", ge=-MOST_CHANGE, le=MOST_CHANGE)]
MorePeople = Annotated[int, QueryParameter(name="people", ge=-MOST_CHANGE, le=MOST_CHANGE)]


class WhatIfView(msgspec.Struct, frozen=True, kw_only=True):
    """All the page shows."""

    change: Change
    asked: bool
    presets: Sequence[tuple[str, str, bool]]
    """Label, address and whether it is shown."""
    routings: Sequence[tuple[Routing, str, str]] = ROUTINGS
    most: int = MOST_CHANGE
    working: bool = False
    failed: bool = False
    answer: Answer | None = None
    sureness: tuple[str, str, str] = ("unknown", "", "")
    rows: Sequence[FigureRow] = ()
    notes: Sequence[tuple[str, Mapping[str, str]]] = ()
    """Sentences, untranslated, and their figures."""
    names: Mapping[str, str] = {}
    """Of strategies, untranslated."""


@get("/what-if", opt={"page": True}, include_in_schema=False)
async def what_if_page(
    *,
    request: AnyRequest,
    sources: NamedDependency[Sources],
    what_if: NamedDependency[WhatIf],
    more_accounts: MoreAccounts = 0,
    more_people: MorePeople = 0,
    routing: Annotated[str, QueryParameter(max_length=20)] = "",
) -> Response[str]:
    """A question's form, and its answer as soon as there is one."""
    strategy = Routing(routing) if routing in set(Routing) else None
    change = Change(accounts=more_accounts, people=more_people, routing=strategy)
    overview = await load_accounts(sources)
    view = WhatIfView(
        change=change,
        asked=change != Change(),
        presets=_presets(change, (await sources.live_settings.read()).routing),
        names={strategy.value: label for strategy, label, _ in ROUTINGS},
    )
    if view.asked:
        try:
            found = await what_if.answer_soon(change, seconds=SOON)
        except WhatIfUnavailable:
            view = msgspec.structs.replace(view, failed=True)
        else:
            view = _answered(view, found)
    return await page(request, sources, overview, "what_if.html", view=view)


def _presets(change: Change, routing: Routing | None) -> Sequence[tuple[str, str, bool]]:
    """The usual questions, and the strategies that are not in force."""
    others = [
        (label, Change(routing=each))
        for each, label, _ in ROUTINGS
        if each is not (routing or Routing.AFFINITY)
    ]
    return [(label, _address(each), each == change) for label, each in (*PRESETS, *others)]


def _answered(view: WhatIfView, found: Answer | None) -> WhatIfView:
    if found is None:
        return msgspec.structs.replace(view, working=True)
    return msgspec.structs.replace(
        view,
        answer=found,
        sureness=SURENESS[found.sureness],
        rows=rows_of(found),
        notes=[
            (NOTES[note.code], {name: f"{value:g}" for name, value in note.values.items()})
            for note in found.notes
        ],
    )


def _address(change: Change) -> str:
    return f"/what-if?{urlencode(msgspec.to_builtins(change))}"
