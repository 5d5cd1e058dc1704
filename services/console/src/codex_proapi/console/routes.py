"""Every route of the JSON API, and its OpenAPI document."""

from typing import Any, get_args, get_type_hints

import msgspec
from litestar.enums import MediaType
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Reference, SecurityScheme
from litestar.router import Router

from codex_proapi.console.api import (
    accounts,
    alerts,
    authorize,
    keys,
    logins,
    prices,
    settings,
    usage,
)
from codex_proapi.console.api.administration import (
    audit,
    connection,
    saved_resets,
    script_tokens,
    sign_in,
)
from codex_proapi.console.api.holders import entry as key_entry
from codex_proapi.console.api.owners import entry, own_accounts, own_logins, records
from codex_proapi.console.api.reports import what_if
from codex_proapi.console.api.terms import routes as terms
from codex_proapi.console.live import log_download, logs
from codex_proapi.console.pages import overview
from codex_proapi.console.server import health, version
from codex_proapi.console.server.error_responses import AnyRequest, ErrorEnvelope
from codex_proapi.console.version import own_version

API_ROUTES = (
    *(health.health, health.ready, health.figures),
    *(sign_in.show_session, sign_in.sign_in, sign_in.follow_link, sign_in.sign_out, sign_in.set_up),
    *(sign_in.change_password, sign_in.list_sessions, sign_in.end_sessions, sign_in.end_session),
    *(accounts.list_accounts, accounts.show_account, accounts.add_account),
    *(accounts.preview_account, accounts.change_account, accounts.remove_account),
    *(terms.show_terms, terms.change_terms),
    *(accounts.refresh_account, accounts.use_account_again, accounts.try_account),
    *(saved_resets.list_resets, saved_resets.redeem_reset),
    *(saved_resets.list_own_resets, saved_resets.redeem_own_reset),
    *(logins.begin_login, logins.show_login, logins.poll_login, logins.paste_callback),
    *(logins.give_up_login, authorize.leave, authorize.arrive),
    *(keys.list_keys, keys.make_key, keys.change_key, keys.rotate_key, keys.revoke_key),
    *(key_entry.sign_in_with_key, key_entry.sign_out_of_key),
    *(logs.list_logs, logs.clear_logs, logs.restore_logs, logs.stream_logs, logs.stream_changes),
    *(log_download.download_ndjson, log_download.download_csv),
    *(usage.show_usage, usage.show_series, what_if.ask_what_if),
    *(prices.show_prices, prices.set_price, prices.reset_price),
    *(settings.show_settings, settings.change_settings, connection.test_connection),
    *(alerts.show_alerts, alerts.make_destination, alerts.change_destination),
    *(alerts.remove_destination, alerts.try_destination),
    *(script_tokens.list_tokens, script_tokens.make_token, script_tokens.revoke_token),
    *(records.list_owners, records.add_owner, records.rename_owner, records.invite_owner),
    *(records.end_owner_session, records.remove_owner),
    *(entry.enter, entry.show_owner_session, entry.leave_browser),
    *(own_accounts.list_own_accounts, own_accounts.show_own_account, own_accounts.add_own_account),
    *(own_accounts.preview_own_account, own_accounts.change_own_terms, own_accounts.leave_pool),
    *(own_logins.begin_own_login, own_logins.show_own_login, own_logins.poll_own_login),
    *(own_logins.paste_own_callback, own_logins.give_up_own_login),
    *(overview.show_overview, overview.list_models),
    *(audit.list_audit_events, version.show_version, version.list_replicas),
)
"""Handlers of everything but the pages."""


DOCUMENT = "/api/openapi.json"
"""Where the OpenAPI document is."""


class Document(JsonRenderPlugin):
    """The document, with our own errors in the place of Litestar's, and msgspec's own schemas.

    Litestar leaves out limits of nought and those of items, and lets a number be one thing only;
    msgspec, which decodes and encodes the bodies, tells exactly what it does.
    """

    def render(self, request: AnyRequest, openapi_schema: dict[str, Any]) -> bytes:
        """The document as JSON; Litestar keeps what is made here."""
        del request
        _, components = msgspec.json.schema_components(
            [ErrorEnvelope, *_bodies()], ref_template="#/components/schemas/{name}"
        )
        openapi_schema["components"]["schemas"].update(components)
        public, owners = _operations("public"), _operations("owner")
        for path, operations in openapi_schema["paths"].items():
            for method, operation in operations.items():
                if (path, method) in public:
                    operation["security"] = []
                elif (path, method) in owners:
                    operation["security"] = [{"owner_session": []}]
                answers = operation["responses"]
                for status in [each for each in answers if each[0] in "45"]:
                    del answers[status]
                answers.get("204", {}).pop("content", None)
                answers["default"] = ERROR
        return msgspec.json.encode(openapi_schema)


def _bodies() -> list[Any]:
    """Types of all request and response bodies."""
    hints = [get_type_hints(route.fn) for route in API_ROUTES]
    found = [hint[name] for hint in hints for name in ("data", "return") if name in hint]
    parts = [part for each in found for part in (get_args(each) or (each,))]
    return [part for part in parts if isinstance(part, type) and issubclass(part, msgspec.Struct)]


def _operations(kind: str) -> set[tuple[str, str]]:
    """Path and method of routes without login, or of an owner's: Litestar is not told of either."""
    return {
        (path, method.lower())
        for route in API_ROUTES
        if route.opt.get(kind)
        for path in route.paths
        for method in route.http_methods
    }


ERROR = {
    "description": "What went wrong; docs/console-errors.md has every code.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}}},
}


def openapi_config() -> OpenAPIConfig:
    """The document at `/api/openapi.json`; it needs no login and no asset from outside."""
    schemes: dict[str, SecurityScheme | Reference] = {
        "session": SecurityScheme(
            type="apiKey",
            security_scheme_in="cookie",
            name="__Host-sid",
            description="A signed-in browser; changes need the header x-csrf-token too.",
        ),
        "owner_session": SecurityScheme(
            type="apiKey",
            security_scheme_in="cookie",
            name="__Host-owner",
            description="The browser of an owner of accounts; changes need x-csrf-token too.",
        ),
        "admin_token": SecurityScheme(
            type="http", scheme="bearer", description="An admin token, for scripts."
        ),
    }
    return OpenAPIConfig(
        title="Codex Pro API: console",
        version=own_version(),
        description="Errors are `{error: {code, message, param, request_id}}`.",
        use_handler_docstrings=True,
        components=Components(security_schemes=schemes),
        security=[{"session": []}, {"admin_token": []}],
        # Litestar answers everything beneath this path, so it is the document's own.
        path=DOCUMENT,
        render_plugins=[Document(path="/", media_type=MediaType.JSON)],
        openapi_router=Router(
            path=DOCUMENT, route_handlers=[], opt={"public": True}, include_in_schema=False
        ),
    )
