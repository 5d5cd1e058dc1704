"""Routes for static files: stylesheets, scripts, images, and the scripts' messages."""

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from codex_proapi.console.errors import NotFound
from codex_proapi.console.layout.assets import Asset, assets
from codex_proapi.console.server.content_coding import accepts_gzip
from codex_proapi.console.texts.catalogue import texts_of
from codex_proapi.console.texts.language import Language

AnyRequest = Request[Any, Any, Any]

FOR_EVER = "public, max-age=31536000, immutable"
"""Of an address that holds a digest of its content."""
ASK_AGAIN = "public, no-cache"
"""Of an address from another release: during an upgrade two are alive."""
_TAGS = frozenset(Language)
_PUBLIC = {"public": True, "probe": False, "passive": True}


@get("/static/{build:str}/{name:path}", opt=_PUBLIC, include_in_schema=False)
async def static_file(
    request: AnyRequest, build: FromPath[str], name: FromPath[str]
) -> Response[bytes]:
    """One file; any release's address gives this release's file."""
    asset = assets().get(str(name).lstrip("/"))
    if asset is None:
        raise NotFound
    return _answer(request, asset, lasting=build == assets().build)


@get("/texts/{name:str}", opt=_PUBLIC, include_in_schema=False)
async def script_texts(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """What the scripts say, in one language."""
    tag = name.removesuffix(".js")
    if tag not in _TAGS or not name.endswith(".js"):
        raise NotFound
    content = texts_of(Language(tag)).script()
    asset = Asset.of(f"texts/{name}", content)
    return _answer(request, asset, lasting=request.url.query == assets().build)


@get("/favicon.ico", opt=_PUBLIC, include_in_schema=False)
async def favicon(request: AnyRequest) -> Response[bytes]:
    """The picture browsers ask for on their own."""
    asset = assets().get("icon.svg")
    if asset is None:
        raise NotFound
    return _answer(request, asset, lasting=False)


def _answer(request: AnyRequest, asset: Asset, *, lasting: bool) -> Response[bytes]:
    headers = {
        "cache-control": FOR_EVER if lasting else ASK_AGAIN,
        "etag": f'"{asset.etag}"',
        "vary": "accept-encoding",
    }
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(b"", status_code=304, headers=headers)
    content = asset.content
    if asset.compressed is not None and accepts_gzip(request.headers.get("accept-encoding", "")):
        content = asset.compressed
        headers["content-encoding"] = "gzip"
    return Response(content, headers=headers, media_type=asset.content_type)
