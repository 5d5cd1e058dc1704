"""The API keeps what its OpenAPI document promises, whatever is sent to it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, get_type_hints

import httpx
import msgspec
import pytest
import schemathesis
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from support.consoles import PASSWORD
from support.free_ports import free_port
from support.pretended import pretended_time
from support.redis_server import RedisServer

from codex_proapi.console.routes import API_ROUTES

NOWHERE = "http://127.0.0.1:9"
MEANT = {
    *("/api/accounts", "/api/accounts/preview", "/api/logins/callback"),
    *("/api/keys", "/api/keys/{key_id}", "/api/tokens", "/api/usage", "/api/setup"),
    *("/api/password", "/api/session", "/api/key/session", "/api/alerts/destinations"),
    *("/api/alerts/destinations/{destination_id}", "/api/settings", "/api/prices"),
}
"""Where more must hold than a schema can say: a real auth.json, a time to come, a strong password,
an address, a time zone that exists."""


def test_a_field_that_no_body_has_is_refused() -> None:
    """A misspelt field that was passed over would leave somebody without the limit he has set."""
    hints = [get_type_hints(route.fn) for route in API_ROUTES]
    bodies = [hint["data"] for hint in hints if "data" in hint]
    _, parts = msgspec.json.schema_components(bodies)

    objects = {name: part for name, part in parts.items() if part.get("type") == "object"}
    lax = [name for name, part in objects.items() if part.get("additionalProperties", True)]
    assert (len(bodies) > 20, lax) == (True, [])


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A console in a process of its own; nothing it could call outside is there."""
    port = free_port()
    with RedisServer() as redis:
        environ = {
            **pretended_time(),
            "REDIS_URL": redis.url,
            "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "CODEX_AUTH_URL": NOWHERE,
            "CODEX_BASE_URL": f"{NOWHERE}/codex",
            "ADMIN_PASSWORD": PASSWORD,
            "LOG_LEVEL": "error",
            "PORT": str(port),
        }
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "codex_proapi.console"], env=environ
        )
        try:
            yield _ready(f"http://localhost:{port}")
        finally:
            process.terminate()
            assert process.wait(60) == 0


def _ready(address: str) -> str:
    for _ in range(1200):
        try:
            if httpx.get(f"{address}/readyz", timeout=60).status_code == 200:
                return address
        except httpx.ConnectError:
            time.sleep(0.05)
    pytest.fail("the console did not start")


@pytest.fixture(scope="module")
def document(address: str) -> Any:
    return (
        schemathesis.openapi.from_url(f"{address}/api/openapi.json")
        .exclude(path_regex="^/auth/")  # leads away from here
        .exclude(path=["/api/logs/stream", "/api/events"])  # never ends
        .exclude(path="/api/logins", method="POST")  # asks the authorization server
    )


@pytest.fixture(scope="module")
def admin_token(address: str) -> str:
    with httpx.Client(base_url=address, timeout=60) as client:
        signed_in = client.post("/api/session", json={"password": PASSWORD})
        csrf = {"x-csrf-token": signed_in.json()["csrf_token"]}
        made = client.post("/api/tokens", json={"name": "schemathesis"}, headers=csrf)
    return str(made.json()["secret"])


# schemathesis' own parametrize reads a private name of pytest that pytest 9 has dropped.
def test_every_answer_is_one_the_document_promises(document: Any, admin_token: str) -> None:
    for found in document.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=20,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
        )
        @given(case=operation.as_strategy())
        def promised(case: Any) -> None:
            # That nothing is answered without a login is proved in test_visit.
            case.call_and_validate(
                headers={"authorization": f"Bearer {admin_token}"},
                excluded_checks=[
                    ignored_auth,
                    *([positive_data_acceptance] if case.path in MEANT else []),
                ],
            )

        promised()


def test_the_document_needs_no_login_and_nothing_from_outside(address: str) -> None:
    answer = httpx.get(f"{address}/api/openapi.json", timeout=60)

    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["openapi"].startswith("3.1")
    assert "http://" not in answer.text.replace("http://localhost", "")
    assert "cdn" not in answer.text


def test_every_route_of_the_api_is_in_the_document(address: str) -> None:
    paths = httpx.get(f"{address}/api/openapi.json", timeout=60).json()["paths"]
    routes = {
        path.replace(":str", "")
        for route in API_ROUTES
        for path in route.paths
        if not route.opt.get("probe")
    }

    assert routes == set(paths)
