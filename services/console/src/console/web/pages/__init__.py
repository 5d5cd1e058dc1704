"""The pages people see: values from the stores become HTML here, scripts refresh them in place.

Each page is one GET that renders everything; a script asks for the same address again, with a
header, and takes the live regions from the answer. What changes anything goes over the JSON API.
"""

from console.web.pages.accounts import account_page, accounts_page
from console.web.pages.catalogue import catalogue_page
from console.web.pages.connect import connect_page
from console.web.pages.dashboard import dashboard
from console.web.pages.door import door, error_page
from console.web.pages.files import favicon, script_texts, static_file
from console.web.pages.keys import keys_page
from console.web.pages.logs import logs_page
from console.web.pages.settings import settings_page
from console.web.pages.sources import Sources
from console.web.pages.usage import usage_page

page_handlers = (
    dashboard,
    accounts_page,
    account_page,
    catalogue_page,
    keys_page,
    usage_page,
    connect_page,
    logs_page,
    settings_page,
    door,
    static_file,
    script_texts,
    favicon,
)

__all__ = ["Sources", "error_page", "page_handlers"]
