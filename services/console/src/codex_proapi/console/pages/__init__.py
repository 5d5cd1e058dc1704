"""The pages people see, one module each: a GET that renders everything.

Scripts ask for the same address again, with a header, and take the live regions from the answer.
Does not belong here: what changes anything (`api`), values for pages (`views`).
"""

from codex_proapi.console.layout.static_files import favicon, script_texts, static_file
from codex_proapi.console.pages.accounts import account_page, accounts_page
from codex_proapi.console.pages.alerts import alerts_page
from codex_proapi.console.pages.connect import connect_page
from codex_proapi.console.pages.dashboard import dashboard
from codex_proapi.console.pages.holders.key_page import key_page
from codex_proapi.console.pages.holders.receipt_page import receipt_page
from codex_proapi.console.pages.keys import keys_page
from codex_proapi.console.pages.logs import logs_page
from codex_proapi.console.pages.models import catalogue_page
from codex_proapi.console.pages.owners.list import owners_page
from codex_proapi.console.pages.owners.own import own_page, owner_entry_page
from codex_proapi.console.pages.reports.what_if import what_if_page
from codex_proapi.console.pages.settings import settings_page
from codex_proapi.console.pages.sign_in import error_page, sign_in_page
from codex_proapi.console.pages.usage import usage_page

page_handlers = (
    dashboard,
    accounts_page,
    account_page,
    catalogue_page,
    keys_page,
    usage_page,
    what_if_page,
    connect_page,
    logs_page,
    alerts_page,
    settings_page,
    owners_page,
    own_page,
    owner_entry_page,
    sign_in_page,
    key_page,
    receipt_page,
    static_file,
    script_texts,
    favicon,
)

__all__ = ["error_page", "page_handlers"]
