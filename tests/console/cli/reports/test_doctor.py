"""What is wrong is named, with what to do; nothing else is changed."""

import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from cryptography.fernet import Fernet
from redis import Redis

from codex_proapi.console.cli.commands import run
from codex_proapi.console.cli.reports import setting_checks


class Answers(http.server.BaseHTTPRequestHandler):
    """A server that is there and knows nothing."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def upstream() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def healthy(environ: dict[str, str], upstream: str) -> dict[str, str]:
    return {
        **environ,
        "CODEX_BASE_URL": f"{upstream}/backend-api/codex",
        "CODEX_AUTH_URL": upstream,
    }


def examined(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit code, and the verdict and the cure of each check."""
    code = run(environ, ["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    return code, {each["check"]: (each["verdict"], each.get("cure", "")) for each in found}


@pytest.mark.parametrize("name", ["UPSTREAM_PROXY", "https_proxy"])
def test_a_proxy_that_is_away_is_named_without_its_password(
    healthy: dict[str, str], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    away = {
        **healthy,
        "CODEX_AUTH_URL": "https://auth.example",
        name: "http://ada:pw17@127.0.0.1:9",
    }
    code = run(away, ["doctor"])
    said = capsys.readouterr().out

    assert code == 1
    refused = (
        "auth.example cannot be reached through http://127.0.0.1:9 (proxy: tcp: ConnectionRefused"
    )
    assert refused in said
    assert "UPSTREAM_PROXY" in said
    assert "pw17" not in said
    direct = run({**away, "CODEX_AUTH_URL": healthy["CODEX_AUTH_URL"]}, ["doctor"])
    assert direct == (name == "UPSTREAM_PROXY"), "the machine's own leaves loopback alone"


def test_what_is_well_is_said_in_one_line_each(
    healthy: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = examined(healthy, capsys)

    assert code == 0
    for check in ("settings", "redis", "clock", "encryption keys", "backend", "sign-in server"):
        assert found[check] == ("ok", "")
    assert found["accounts"][0] == found["gateways"][0] == "warn"
    assert "accounts import" in found["accounts"][1]

    assert run(healthy, ["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "ok    redis: " in "\n".join(lines)
    assert any(line.startswith("      -> ") for line in lines)


def test_what_is_wrong_has_a_cure_and_an_exit_code(
    healthy: dict[str, str], redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(healthy, ["keys", "create", "laptop"]) == 0
    capsys.readouterr()
    with Redis.from_url(redis_url) as redis:
        redis.config_set("maxmemory-policy", "allkeys-lru")
        try:
            wrong = {
                **healthy,
                "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
                "CODEX_BASE_URL": "http://127.0.0.1:9/backend-api/codex",
            }
            code, found = examined(wrong, capsys)
        finally:
            redis.config_set("maxmemory-policy", "noeviction")

    assert code == 1
    for check in ("encryption keys", "memory", "backend"):
        verdict, cure = found[check]
        assert verdict == "fail"
        assert cure
    assert found["sign-in server"][0] == "ok"


@pytest.mark.parametrize(
    "changed",
    [
        {"REDIS_URL": "redis://127.0.0.1:1/0"},
        {"ENCRYPTION_KEYS": "short"},
        {"ENCRYPTION_KEYS": ""},
        {"CODEX_BASE_URL": "nowhere"},
        {"CODEX_PROAPI_LOG_LEVEL": "loud"},
        {"TRUSTED_PROXIES": "everybody"},
        {"SSL_CERT_FILE": "/nowhere.pem"},
        {"CODEX_PROAPI_NONSENSE": "1"},
    ],
)
def test_settings_that_are_wrong_are_no_traceback(
    healthy: dict[str, str], changed: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = examined({**healthy, **changed}, capsys)

    assert code == 1
    assert [cure for verdict, cure in found.values() if verdict == "fail"] != [""]


@pytest.mark.parametrize(
    ("password", "said"), [("changeme12345", "tried first"), ("correct mule battery", "")]
)
def test_a_first_password_that_is_tried_first_is_told_without_it(
    healthy: dict[str, str], password: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run({**healthy, "ADMIN_PASSWORD": password}, ["doctor"]) == 0
    told = capsys.readouterr().out

    assert ("password: " in told, said in told, password in told) == (bool(said), True, False)


def test_each_fault_of_the_settings_is_told_once(
    healthy: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run({**healthy, "ENCRYPTION_KEYS": "short", "CODEX_BASE_URL": "nowhere"}, ["doctor"])
    faults = [line for line in capsys.readouterr().out.splitlines() if "settings: " in line]

    assert [line.split(":")[1].strip() for line in faults] == ["CODEX_BASE_URL", "ENCRYPTION_KEYS"]


def test_other_members_say_what_is_wrong_with_their_settings(
    healthy: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrong(environ: Mapping[str, str]) -> list[str]:
        return [f"ACCOUNT_STREAMS={environ['ACCOUNT_STREAMS']}: no"]

    monkeypatch.setattr(setting_checks, "setting_checks", lambda: [wrong])
    code, found = examined({**healthy, "ACCOUNT_STREAMS": "many"}, capsys)

    assert (code, found["settings"][0]) == (1, "fail")


def test_a_redis_that_is_away_is_named_with_what_to_do(
    healthy: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run({**healthy, "REDIS_URL": "redis://:canary@127.0.0.1:1/0"}, ["doctor", "--json"])
    told = capsys.readouterr().out
    (found,) = [each for each in json.loads(told) if each["check"] == "redis"]

    assert found["found"] == "Redis: ConnectionError: Connection refused (127.0.0.1:1)"
    assert "REDIS_URL" in found["cure"]
    assert "canary" not in told
