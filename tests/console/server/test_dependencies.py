"""How a handler asks for an object."""

from typing import get_type_hints

from litestar import Litestar, get
from litestar.di import Provide
from litestar.testing import TestClient

from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.settings import ConsoleSettings


def test_an_object_is_given_as_it_is_and_not_checked() -> None:
    settings = ConsoleSettings(redis_url="redis://localhost")

    @get("/", sync_to_thread=False)
    def handler(settings: Injected[ConsoleSettings]) -> str:
        return settings.redis_url

    app = Litestar(
        [handler],
        dependencies={"settings": Provide(lambda: settings, sync_to_thread=False)},
        logging_config=None,
    )
    with TestClient(app) as client:
        assert client.get("/").text == "redis://localhost"
    assert get_type_hints(handler.fn)["settings"] is ConsoleSettings
