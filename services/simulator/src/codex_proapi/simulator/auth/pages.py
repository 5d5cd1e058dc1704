"""The HTML pages of the simulated authorization server."""

from aiohttp import web


def page(content: str, *, status: int = 200) -> web.StreamResponse:
    """An HTML document around this content."""
    document = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Simulated OpenAI</title>{content}</html>'
    return web.Response(text=document, status=status, content_type="text/html")


CONSENT_PAGE = """<h1>Sign in (simulated)</h1>
<p>Nothing here is real. Choose an invented account.</p>
<form action="/oauth/authorize/decide">{hidden}{buttons}</form>"""
ERROR_PAGE = """<h1>Oops, an error occurred!</h1>
<p>An error occurred during authentication (authorize_hydra_invalid_request). {reason}</p>"""
DEVICE_PAGE = """<h1>Enter the code (simulated)</h1>
<form method="post" action="/codex/device">
<input name="user_code" value="{code}" aria-label="Code"> {buttons}</form>"""
