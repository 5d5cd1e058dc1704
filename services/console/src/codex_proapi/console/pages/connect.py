"""The page that connects a client: configuration to paste, a test, a small chat."""

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from codex_proapi.console.layout.layout import AnyRequest, base_url, key_needed, page
from codex_proapi.console.pages.models import offered_models
from codex_proapi.console.views.account_list import load_accounts
from codex_proapi.console.views.snippets import CLIENTS, Snippet, snippets
from codex_proapi.console.views.sources import Sources


class ConnectView(msgspec.Struct, frozen=True, kw_only=True):
    """All the page shows."""

    base_url: str
    models: list[str]
    model: str
    key_needed: bool
    client: str
    """The client shown first."""
    clients: tuple[Snippet, ...]


@get("/connect", opt={"page": True}, include_in_schema=False)
async def connect_page(request: AnyRequest, sources: NamedDependency[Sources]) -> Response[str]:
    """What to paste into each client."""
    overview = await load_accounts(sources)
    models = await offered_models(sources, overview)
    wanted = request.query_params.get("client", "")
    address = base_url(request, sources)
    view = ConnectView(
        base_url=address,
        models=models,
        model=models[0],
        key_needed=await key_needed(sources),
        client=wanted if wanted in CLIENTS else next(iter(CLIENTS)),
        clients=snippets(base_url=address, model=models[0]),
    )
    return await page(request, sources, overview, "connect.html", view=view)
