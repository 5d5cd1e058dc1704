"""Figures and alerts, proved: a real Prometheus scrapes the real services, a real alert arrives."""

import functools
import http.client
import json
import re
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import redis
import yaml  # type: ignore[import-untyped]
from deploy.live.stage import Process, Stage
from deploy.toolbox import DEPLOY, filled_in, panels, tool
from support.free_ports import free_port

from codex_proapi.commons.redis import keyspace

MODEL = "gpt-5.5"
FAULTS = (
    *("other_model", "overloaded", "failed_after_words", "context_length_exceeded"),
    *("ends_early", "server_error", "usage_limit_reached"),
)
"""What goes wrong while the figures are taken; names of the simulator. After the last no account is left."""


AT_ONCE = ("GatewayDown", "NoAccounts", "RedisDown")
"""Alerts that are waited for, and have not the minutes they have in earnest."""
JOBS = {"gateway", "console", "redis", "prometheus"}
WINDOW = "1h"
"""Rates are taken over all that happened, however long it took."""


class Scene:
    """Everything that is watched, and what watches it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.received: list[dict[str, Any]] = []
        self.at = 0.0
        port = free_port()
        command = [sys.executable, "-m", "codex_proapi.simulator", "--port", str(port)]
        self.simulator = stage.process("simulator", command, port=port)
        self.simulator.start()
        self.settings = {
            "CODEX_BASE_URL": f"http://{self.simulator.address}/backend-api/codex",
            "CODEX_AUTH_URL": f"http://{self.simulator.address}",
            "API_KEY_POLICY": "required",
        }
        self._import_accounts()
        self.key = self._make_key()
        # One answer at a time for each account, so that somebody waits.
        self.gateways = stage.gateways(2, **self.settings, ACCOUNT_STREAMS="1")
        self.console = stage.service("console", "console", ADMIN_PASSWORD="invented-password")
        self.console.start(ready="/readyz")
        self.exporter = self._exporter()
        self.exporter.start(ready="/health")
        self.hook = HTTPServer(("127.0.0.1", 0), self._listener())
        threading.Thread(target=self.hook.serve_forever, daemon=True).start()
        self.alertmanager = self._alertmanager()
        self.alertmanager.start(ready="/-/ready")
        self.prometheus = self._prometheus()
        self.prometheus.start(ready="/-/ready")

    def close(self) -> None:
        self.hook.shutdown()
        self.hook.server_close()

    # --- what is watched ---------------------------------------------------------------------

    def _import_accounts(self) -> None:
        for name, ends in (("ada", 3600), ("ben", 3600), ("cleo", 20)):
            # Used so fast that a forecast has something to say.
            used = {"used_percent": 80, "window_passed": 0.25}
            post(self.simulator, f"/_simulator/accounts/{name}", used)
            path = f"/_simulator/accounts/{name}/login"
            made = post(self.simulator, path, {"expires_in": ends})
            file = self.stage.folder / f"{name}.json"
            file.write_bytes(made)
            self.command("accounts", "import", str(file), "--name", name)

    def _make_key(self) -> str:
        said = self.command("keys", "create", "laptop")
        found = re.search(r"cpa-[\w-]+", said)
        assert found, said
        return found[0]

    def command(self, *arguments: str) -> str:
        return self.stage.run_command("local", *arguments, **self.settings)

    def _exporter(self) -> Process:
        port = free_port()
        command = [
            *(tool("prometheus-redis-exporter"), f"-redis.addr=unix://{self.stage.redis.socket}"),
            f"-web.listen-address=127.0.0.1:{port}",
        ]
        return self.stage.process("exporter", command, port=port)

    # --- what watches ------------------------------------------------------------------------

    def _prometheus(self) -> Process:
        """With the configuration of the compose stack, but for addresses and patience."""
        port = free_port()
        text = (DEPLOY / "compose" / "prometheus.yml").read_text()
        for name, process in (
            ("gateway-a:8080", self.gateways[0]),
            ("gateway-b:8080", self.gateways[1]),
            ("console:8081", self.console),
            ("redis-exporter:9121", self.exporter),
            ("alertmanager:9093", self.alertmanager),
        ):
            assert name in text
            text = text.replace(name, process.address)
        # Two seconds are the time an answer has, too.
        text = text.replace("localhost:9090", f"127.0.0.1:{port}").replace("15s", "2s")
        rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
        for group in rules["groups"]:
            for rule in group["rules"]:
                if rule.get("alert") in AT_ONCE:
                    rule["for"] = "2s"
        folder = self.stage.folder
        folder.joinpath("alerts.yml").write_text(yaml.safe_dump(rules))
        config = folder / "prometheus.yml"
        config.write_text(text.replace("/etc/prometheus/rules", str(folder)))
        command = [
            *(tool("prometheus"), f"--config.file={config}"),
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        return self.stage.process("prometheus", command, port=port)

    def _alertmanager(self) -> Process:
        port = free_port()
        text = (DEPLOY / "compose" / "alertmanager.yml").read_text()
        hook = f"http://127.0.0.1:{self.hook.server_port}/"
        told = f"  - name: nobody\n    webhook_configs: [{{url: '{hook}', send_resolved: true}}]"
        text = text.replace("  - name: nobody", told)
        text = text.replace("group_wait: 30s", "group_wait: 1s")
        text = text.replace("group_interval: 5m", "group_interval: 1s")
        config = self.stage.folder / "alertmanager.yml"
        config.write_text(text)
        command = [
            *(tool("prometheus-alertmanager"), f"--config.file={config}"),
            *(f"--storage.path={self.stage.folder / 'am'}", "--cluster.listen-address="),
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        return self.stage.process("alertmanager", command, port=port)

    def _listener(self) -> type[BaseHTTPRequestHandler]:
        received = self.received

        class Listener(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                received.extend(json.loads(body)["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Listener

    def query(self, expression: str, *, at: float | None = None) -> list[dict[str, Any]]:
        """What Prometheus answers, now or at a moment that has been."""
        asked = {"query": expression} | ({} if at is None else {"time": at})
        path = "/api/v1/query?" + urllib.parse.urlencode(asked)
        found: list[dict[str, Any]] = json.loads(self.prometheus.get(path))["data"]["result"]
        return found

    def told(self, alert: str, status: str) -> bool:
        """Whether the webhook has heard of an alert."""
        return any(
            a["labels"]["alertname"] == alert and a["status"] == status for a in self.received
        )

    # --- traffic -----------------------------------------------------------------------------

    def traffic(self) -> None:
        """A little of everything that can happen."""
        for number, gateway in enumerate(self.gateways * 3):
            for stream in (True, False):
                self.ask(gateway, f"Hello {number}", stream=stream, seed=number)
            self.ask(gateway, "Hello", path="/v1/responses")
            self.ask(gateway, "[[fault:slow pace=0.02]] Hello", stream=True)
            self.ask(gateway, "Hello", metadata={"task": "title_generation"})
            self.ask(gateway, "Hello", key="cpa-wrong")
            self.ask(gateway, "Hello", model="no-such-model")
            gateway.get("/v1/models")
            self.console.get("/")
            self.console.get("/api/accounts")
        with ThreadPoolExecutor(8) as at_once:
            for gateway in self.gateways * 4:
                at_once.submit(self.ask, gateway, "[[fault:slow pace=0.05]] Hello", stream=True)

    def troubles(self) -> None:
        """A little of everything that can go wrong."""
        for fault in FAULTS:
            self.ask(self.gateways[0], f"[[fault:{fault}]] Hello {fault}", stream=True)
        self.unreadable_setting()
        self.unreachable_backend()

    def unreachable_backend(self) -> None:
        """Let a request find nobody at the backend's address, with accounts that may be asked."""
        self.simulator.kill()
        with redis.Redis(unix_socket_path=str(self.stage.redis.socket)) as store:
            store.delete(keyspace.cooldowns())
            store.incr(keyspace.cooldowns_version())
        failed = "sum(increase(gateway_upstream_connect_failures_total[1m])) > 0"

        def grows() -> object:  # a rate wants a figure before, and a pause lies between two tries
            self.ask(self.gateways[0], "Hello out there", stream=True)
            return self.query(failed)

        until(grows, failed)

    def unreadable_setting(self) -> None:
        """Let everybody read a setting of a version that is not there yet."""
        with redis.Redis(unix_socket_path=str(self.stage.redis.socket)) as store:
            store.hset(keyspace.settings(), "routing", '"by the moon"')
            for name in ("gateway", "console"):
                counted = f"sum({name}_unreadable_records_total)"
                until(functools.partial(self.query, counted), counted)
            store.hdel(keyspace.settings(), "routing")

    def scraped(self) -> None:
        """Wait until each series has two figures more."""
        times = "min(count_over_time(up[1h]))"
        [before] = self.query(times) or [{"value": [0, "0"]}]
        until(
            lambda: float(self.query(times)[0]["value"][1]) >= float(before["value"][1]) + 2,
            "scrapes",
        )

    def ask(
        self, gateway: Process, text: str, *, path: str = "/v1/chat/completions", **changes: Any
    ) -> None:
        """One request; what it is answered is for the figures to tell."""
        key = changes.pop("key", self.key)
        content: dict[str, Any] = {"model": MODEL, **changes}
        content["input" if path.endswith("responses") else "messages"] = [
            {"role": "user", "content": text}
        ]
        headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=120)
        try:
            connection.request("POST", path, json.dumps(content), headers)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()


def post(process: Process, path: str, content: Any) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=60)
    try:
        connection.request("POST", path, json.dumps(content), {"content-type": "application/json"})
        return connection.getresponse().read()
    finally:
        connection.close()


def until(holds: Callable[[], object], what: str, seconds: float = 300) -> float:
    """Wait until something holds; running out of time is a failure."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds} s"
        time.sleep(0.2)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with Stage(tmp_path_factory.mktemp("scene")) as stage:
        made = Scene(stage)
        try:
            made.traffic()
            # Quotas are shown every few seconds; rates want two scrapes of each series.
            until(lambda: made.query("gateway_quota_used_ratio"), "quota")
            until(lambda: made.query("gateway_pool_quota_left_accounts"), "pool")
            made.traffic()
            made.scraped()
            made.troubles()
            made.scraped()
            made.at = time.time()
            yield made
        finally:
            made.close()


def test_everything_is_scraped(scene: Scene) -> None:
    def all_up() -> bool:
        return all(series["value"][1] == "1" for series in scene.query("up"))

    until(all_up, "everything up")
    assert {series["metric"]["job"] for series in scene.query("up")} == JOBS
    assert len(scene.query('up{job="gateway"}')) == 2


@pytest.mark.parametrize(
    ("board", "title", "query"), panels(), ids=[f"{b}: {t}" for b, t, _ in panels()]
)
def test_every_panel_shows_something(scene: Scene, board: str, title: str, query: str) -> None:
    del board, title
    found = scene.query(filled_in(query, over=WINDOW), at=scene.at)

    assert found, query
    assert any(series["value"][1] != "NaN" for series in found), found


def test_a_panel_that_shows_nothing_is_found(scene: Scene) -> None:
    query = filled_in("sum(rate(gateway_requests_total[$__rate_interval]))", over=WINDOW)

    assert scene.query(query, at=scene.at) == []


def test_labels_hold_no_secret(scene: Scene) -> None:
    texts = [p.get("/metrics") for p in (*scene.gateways, scene.console)]

    for text in texts:
        assert scene.key not in text
        assert "cpa-wrong" not in text
        assert "no-such-model" not in text
        assert not re.search(r"eyJ[\w-]{10}|@example", text)


def test_a_killed_gateway_is_told(scene: Scene) -> None:
    scene.gateways[1].kill()

    told = until(lambda: scene.told("GatewayDown", "firing"), "the alert")
    scene.gateways[1].start(ready="/readyz")
    ended = until(lambda: scene.told("GatewayDown", "resolved"), "its end")

    print(f"\nGatewayDown: told after {told:.1f} s, its end after {ended:.1f} s (for: 2s)")
    assert not scene.told("GatewayGone", "firing")


def test_accounts_that_all_are_paused_are_told(scene: Scene) -> None:
    said = scene.command("accounts", "list")
    ids = sorted(set(re.findall(r"acc_\w+", said)))
    assert len(ids) > 1, said
    for each in ids:
        scene.command("accounts", "pause", each)

    until(lambda: scene.told("NoAccounts", "firing"), "the alert")
    for each in ids:
        scene.command("accounts", "resume", each)
    until(lambda: scene.told("NoAccounts", "resolved"), "its end")


def test_a_killed_redis_is_told(scene: Scene) -> None:
    scene.stage.redis.kill()

    until(lambda: scene.told("RedisDown", "firing"), "the alert")
    until(lambda: scene.gateways[0].status("/readyz") == 503, "the gateway's notice")
    assert scene.gateways[0].status("/health") == 200
    scene.stage.redis.start()
    until(lambda: scene.told("RedisDown", "resolved"), "its end")
    until(lambda: scene.gateways[0].status("/readyz") == 200, "the gateway's recovery")
