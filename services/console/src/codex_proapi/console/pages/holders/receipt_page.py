"""What became of one request, for the holder of its key."""

from decimal import Decimal

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.enums import MediaType
from litestar.params import FromPath
from litestar.response import Redirect

from codex_proapi.commons.prices.list_prices import Price
from codex_proapi.commons.prices.token_costs import cost_of, price_of
from codex_proapi.commons.usage.exchange_record import ExchangeRecord
from codex_proapi.console.api.holders.entry import key_of
from codex_proapi.console.auth.identity import identity_of
from codex_proapi.console.errors import Code, NotFound
from codex_proapi.console.holders.key_records import KeyRecords
from codex_proapi.console.holders.key_sessions import KeySessions
from codex_proapi.console.layout.layout import AnyRequest, preferences
from codex_proapi.console.layout.rendering import render
from codex_proapi.console.pages.holders.key_page import KEY_PAGE
from codex_proapi.console.texts.events import ENDINGS, REPAIRS, VERDICTS
from codex_proapi.console.views.sources import Sources


class ReceiptView(msgspec.Struct, frozen=True, kw_only=True):
    """All the page shows."""

    key_name: str
    record: ExchangeRecord
    dollars: Decimal | None
    """What it would cost, exact; None without a price."""
    price: Price | None
    ending: str
    """How it ended, untranslated."""
    attempts: tuple["AttemptRow", ...]


class AttemptRow(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt, without its account and without upstream's words, which may name it."""

    outcome: str
    """What followed, untranslated."""
    repair: str
    """What was changed for the next one, untranslated; empty is nothing."""
    status: int
    code: str
    milliseconds: int


@get(
    f"{KEY_PAGE}/requests/{{request_id:str}}",
    opt={"public": True, "page": True, "passive": True},
    include_in_schema=False,
)
async def receipt_page(
    request: AnyRequest,
    request_id: FromPath[str],
    sources: NamedDependency[Sources],
    key_sessions: NamedDependency[KeySessions],
    key_records: NamedDependency[KeyRecords],
) -> Response[str] | Redirect:
    """One request of the key that this browser has signed in with."""
    key = await key_of(request, key_sessions)
    if key is None:
        return Redirect(KEY_PAGE, status_code=303)
    record = await key_records.request(key.id, request_id)
    if record is None:
        raise NotFound(Code.UNKNOWN_REQUEST)
    price = price_of(record.counted_model, await sources.prices.all())
    view = ReceiptView(
        key_name=key.name,
        record=record,
        dollars=cost_of(record.tokens, price).known,
        price=price,
        ending=ENDINGS.get(record.ending.value, record.ending.value),
        attempts=tuple(
            AttemptRow(
                outcome=VERDICTS.get(each.verdict, each.verdict),
                repair=REPAIRS.get(each.repair, each.repair),
                status=each.status,
                code=each.code,
                milliseconds=each.milliseconds,
            )
            for each in record.attempts
        ),
    )
    csrf = identity_of(request.scope).csrf
    html = render(
        "key_receipt.html", preferences(request), page="key_receipt", csrf=csrf, view=view
    )
    return Response(html, media_type=MediaType.HTML, headers={"vary": "cookie, accept-language"})
