from typing import Any, cast

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from support.asgi import Received, Sent, a_scope
from support.clock import Clock
from support.gateways import KEY

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.cluster.live_settings import KeyPolicy
from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.commons.codex.quota_parser import QuotaWindow
from codex_proapi.commons.prices.price_store import PriceStore
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.log_stream import LogStream
from codex_proapi.gateway.api.paths import PATHS, USAGE_ROUTE
from codex_proapi.gateway.api.router import Router
from codex_proapi.gateway.api.routes import Handlers, routes
from codex_proapi.gateway.api.stored_responses import StoredResponses
from codex_proapi.gateway.auth.authenticator import Authenticator
from codex_proapi.gateway.exchange.stored_responses import ResponseStore
from codex_proapi.gateway.formats.codex.quota_encoder import quota_of_windows
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.server.in_flight import InFlight

USAGES = [path for path, route in PATHS.items() if route == USAGE_ROUTE]


class FakeCatalogues:
    current: Any = Catalogue.built_in()

    def codex_etag(self, allowed: Any) -> str:
        return f'"{len(allowed)}"'

    async def codex_rows(self, allowed: Any) -> Any:
        if allowed == ("away",):
            raise StoreUnavailable("away")
        return [{"slug": slug, "shell_type": "default"} for slug in allowed or ("gpt-5.5",)]


class Scene:
    loops_down: tuple[str, ...] = ()

    def __init__(self, redis: Any) -> None:
        self.keys = KeyStore(redis, CredentialCipher((KEY,)))
        self.in_flight = InFlight(most=9)
        self.redis_answers = True
        self.upstream_lost = False
        self.catalogues = cast("Any", FakeCatalogues())
        metrics = Metrics(CollectorRegistry())
        handlers = Handlers(
            authenticator=Authenticator(self.keys, policy=KeyPolicy.REQUIRED, clock=Clock()),
            catalogues=self.catalogues,
            key_quota=cast("Any", self),
            responses=StoredResponses(ResponseStore(redis, CredentialCipher((KEY,)))),
            logs=LogStream(redis),
            prices=PriceStore(redis),
            in_flight=self.in_flight,
            metrics=metrics,
            ping=self.ping,
            upstream_lost=lambda: self.upstream_lost,
            loops_down=lambda: self.loops_down,
            version="1.2.3",
        )
        self.app = Router(
            endpoints={}, rest=routes(handlers), check_page=handlers._authenticator.check_page
        )

    async def of(self, key: Any) -> Any:
        if not self.redis_answers:
            raise StoreUnavailable("away")
        used = 0 if key.limits == Limits() else 42
        return quota_of_windows([QuotaWindow(minutes=300, used_percent=used)])

    async def ping(self) -> Any:
        return self.redis_answers

    async def get(self, path: str, secret: Any = "", query: Any = b"", known: bytes = b"") -> Any:
        sent = Sent()
        headers = [(b"authorization", f"Bearer {secret}".encode())] if secret else []
        headers += [(b"if-none-match", known)] if known else []
        await self.app(a_scope(path, headers=headers, query=query), Received(b""), sent)
        return sent


@pytest.fixture
def scene(redis_client: Redis) -> Any:
    return Scene(redis_client)


async def test_the_models_are_shown_to_whoever_has_a_key(scene: Any) -> None:
    _, secret = await scene.keys.create("mine")

    plain = await scene.get("/v1/models", secret)
    codex = await scene.get("/v1/models", secret, b"client_version=0.171.0")
    one = await scene.get("/v1/models/openai/gpt-5.5", secret)

    assert "models" not in msgspec.json.decode(plain.body)
    assert msgspec.json.decode(codex.body)["models"] == await scene.catalogues.codex_rows(())
    assert msgspec.json.decode(one.body)["id"] == "openai/gpt-5.5"
    assert one.headers["content-type"] == "application/json"


async def test_codex_is_told_whether_its_list_is_the_newest(scene: Any) -> None:
    _, secret = await scene.keys.create("mine", allowed_models=("gpt-5.5",))

    async def ask(known: bytes) -> Any:
        return await scene.get("/v1/models", secret, b"client_version=0.171.0", known)

    first = await ask(b"")

    assert first.headers["etag"] == '"1"'
    assert [row["slug"] for row in msgspec.json.decode(first.body)["models"]] == ["gpt-5.5"]
    assert [(await ask(known)).status for known in (b'"0", W/"1"', b'"1"', b'"0"')] == [
        304,
        304,
        200,
    ]
    assert (await ask(b'"1"')).body == b""
    assert [(await ask(known)).status for known in (b"*", b" * ", b'W/"0"', b"")] == [
        304,
        304,
        200,
        200,
    ]


async def test_without_redis_codex_gets_no_part_of_the_list(scene: Any) -> None:
    _, secret = await scene.keys.create("mine", allowed_models=("away",))

    sent = await scene.get("/v1/models", secret, b"client_version=0.171.0")

    assert (sent.status, sent.error["code"]) == (503, "store_unavailable")


@pytest.mark.parametrize(
    "path", ["/v1/models", "/models/", "/v1/v1/models", "/v1/models/gpt-5.5", *USAGES]
)
async def test_every_spelling_passes_the_same_key_check(scene: Any, path: str) -> None:
    sent = await scene.get(path, "wrong")

    assert (sent.status, sent.error["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("path", USAGES)
async def test_a_key_is_told_its_own_share(scene: Any, path: str) -> None:
    _, secret = await scene.keys.create("mine", limits=Limits(tokens_day=5))
    _, other = await scene.keys.create("other")

    sent = await scene.get(path, secret)

    assert (sent.status, sent.headers["cache-control"]) == (200, "no-store")
    window = msgspec.json.decode(sent.body)["rate_limit"]["primary_window"]
    assert window["used_percent"] == 42
    assert b'"used_percent":0' in (await scene.get(path, other)).body


async def test_without_redis_no_share_is_told(scene: Any) -> None:
    _, secret = await scene.keys.create("mine")
    scene.loops_down = ("beat", "ledger")
    sent = await scene.get("/readyz")
    status = msgspec.json.decode(sent.body)["status"]
    assert (sent.status, status) == (503, "loops down: beat, ledger")
    scene.redis_answers = False

    sent = await scene.get("/api/codex/usage", secret)

    assert (sent.status, sent.error["code"]) == (503, "store_unavailable")


async def test_a_revoked_key_sees_nothing_although_no_survey_tells_of_it(scene: Any) -> None:
    key, secret = await scene.keys.create("mine")
    assert (await scene.get("/v1/models", secret)).status == 200

    await scene.keys.revoke(key.id)

    assert (await scene.get("/v1/models", secret)).status == 401


async def test_without_redis_the_models_are_not_shown(scene: Any) -> None:
    _, secret = await scene.keys.create("mine")

    async def version() -> None:
        raise StoreUnavailable("away")

    scene.keys.version = version

    sent = await scene.get("/v1/models", secret)
    assert (sent.status, sent.error["code"]) == (503, "store_unavailable")


async def test_an_unknown_model_names_those_there_are(scene: Any) -> None:
    _, secret = await scene.keys.create("mine")

    sent = await scene.get("/v1/models/gpt-2", secret)

    assert (sent.status, sent.error["code"]) == (404, "model_not_found")
    assert "gpt-5.5" in sent.error["message"]


async def test_the_process_tells_that_it_lives(scene: Any) -> None:
    for path in ("/health", "/", "/health/"):
        sent = await scene.get(path)
        assert msgspec.json.decode(sent.body) == {
            "status": "ok",
            "service": "gateway",
            "version": "1.2.3",
        }


async def test_it_is_ready_unless_it_drains_or_has_no_redis(scene: Any) -> None:
    assert (await scene.get("/readyz")).status == 200
    scene.upstream_lost = True
    sent = await scene.get("/readyz")
    assert (sent.status, msgspec.json.decode(sent.body)["status"]) == (503, "no upstream")
    scene.redis_answers = False
    assert (await scene.get("/readyz")).status == 503
    scene.in_flight.draining = True
    sent = await scene.get("/readyz")
    assert (sent.status, msgspec.json.decode(sent.body)["status"]) == (503, "draining")


async def test_metrics_are_prometheus_text(scene: Any) -> None:
    sent = await scene.get("/metrics")

    assert sent.headers["content-type"].startswith("text/plain")
    assert b"gateway_exchanges_in_flight 0.0" in sent.body


async def test_a_fault_of_our_own_is_an_answer_too(scene: Any) -> None:
    _, secret = await scene.keys.create("mine")
    scene.catalogues.current = None

    sent = await scene.get("/v1/models", secret)

    assert (sent.status, sent.error["code"]) == (500, "internal_error")


async def test_what_litestar_itself_refuses_has_openais_shape(scene: Any) -> None:
    sent = Sent()
    application = scene.app._rest

    await application(a_scope("/nothing"), Received(b""), sent)

    assert (sent.status, sent.error["type"]) == (404, "invalid_request_error")
