"""The log page: filters and texts. Entries are fetched from the API."""

from collections.abc import Mapping

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask
from codex_proapi.console.layout.layout import LIVE_HEADER, AnyRequest, page, preferences
from codex_proapi.console.pages.models import offered_models
from codex_proapi.console.texts.catalogue import Texts, texts_of
from codex_proapi.console.texts.events import (
    ACTORS,
    CHOICES,
    ENDINGS,
    EVENTS,
    FIELDS,
    REFUSED_KEYS,
    VERDICTS,
)
from codex_proapi.console.views.account_list import load_accounts
from codex_proapi.console.views.sources import Sources

FILTERS = ("q", "level", "account", "key", "model", "status", "request_id", "substituted")
"""Names of the filters in the address."""
LONGEST = 200


class FilterView(msgspec.Struct, frozen=True, kw_only=True):
    """The filters as the address has them."""

    q: str = ""
    level: str = ""
    account: str = ""
    key: str = ""
    model: str = ""
    status: str = ""
    request_id: str = ""
    substituted: str = ""
    """`true` for requests that another model answered."""

    @property
    def more(self) -> int:
        """How many are set besides search and level."""
        set_ = [getattr(self, name) for name in self.__struct_fields__ if getattr(self, name)]
        return len(set_) - bool(self.q) - bool(self.level)


class LogsView(msgspec.Struct, frozen=True, kw_only=True):
    """All the page shows."""

    filter: FilterView
    accounts: list[tuple[str, str]]
    keys: list[tuple[str, str]]
    models: list[str]
    total: int
    """How many entries there are."""
    names: str
    """Names of accounts and keys, and words for events, as JSON for the script."""


@get("/logs", opt={"page": True}, include_in_schema=False)
async def logs_page(request: AnyRequest, sources: NamedDependency[Sources]) -> Response[str]:
    """The live log."""
    overview = await load_accounts(sources)
    # A refresh in place shows none of the names: the script has had them with the page.
    live = LIVE_HEADER in request.headers
    accounts = [] if live else [(row.id, row.name) for row in overview.rows]
    known = {} if live else await sources.keys.names()
    keys = sorted(known.items(), key=lambda one: one[1].casefold())
    texts = texts_of(preferences(request).language)
    names = {
        "accounts": dict(accounts),
        "keys": dict(keys),
        "events": _words(EVENTS, texts),
        "verdicts": _words(VERDICTS, texts),
        "endings": _words(ENDINGS, texts),
        "choices": _words(CHOICES, texts),
        "fields": _words(FIELDS, texts),
        "actors": _words(ACTORS, texts),
        "refusedKeys": _words(REFUSED_KEYS, texts),
    }
    asked = {name: request.query_params.get(name, "")[:LONGEST] for name in FILTERS}
    view = LogsView(
        filter=FilterView(**asked),
        accounts=accounts,
        keys=keys,
        models=await offered_models(sources, overview),
        total=await ask(lambda: sources.redis.xlen(keyspace.logs())),
        names=msgspec.json.encode(names).decode(),
    )
    return await page(request, sources, overview, "logs.html", view=view)


def _words(table: Mapping[str, str], texts: Texts) -> dict[str, str]:
    return {code: texts.gettext(message) for code, message in table.items()}
