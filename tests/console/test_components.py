"""Every object of one console."""

import inspect
from typing import get_type_hints

from support.consoles import console_settings, running

from codex_proapi.console.routes import API_ROUTES

GIVEN_BY_THE_APP = {
    "calendar",
    "clock",
    "lights",
    "metrics",
    "redis",
    "settings",
    "wanted",
    "wanted_usage",
    "about",
}


async def test_whatever_a_handler_asks_for_is_there_under_its_name(redis_url: str) -> None:
    async with running(console_settings(redis_url)) as console:
        parts = vars(console.parts)
        for route in API_ROUTES:
            hints = get_type_hints(route.fn)
            for name in inspect.signature(route.fn).parameters:
                if name in parts:
                    assert isinstance(parts[name], hints[name]), f"{route} {name}"

        asked = {
            name
            for route in API_ROUTES
            for name, parameter in inspect.signature(route.fn).parameters.items()
            if "Dependency" in str(parameter.annotation)
        }
        assert asked <= set(parts) | GIVEN_BY_THE_APP
        assert "accounts" in repr(console.parts)
