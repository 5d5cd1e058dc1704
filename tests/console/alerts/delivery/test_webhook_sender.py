"""Webhooks to real receivers: checked addresses, no redirections, bounded answers."""

import ipaddress
import pathlib
from collections.abc import Sequence
from typing import Any

import pytest
from support.alert_receivers import answer, webhook_receiver
from support.certificates import Authority
from support.free_ports import free_port
from support.proxies import proxy_server

from codex_proapi.commons.proxy.address import ProxyRules, parse_proxy
from codex_proapi.console.alerts.alert_store import Outcome
from codex_proapi.console.alerts.delivery.webhook_requests import WebhookRequest
from codex_proapi.console.alerts.delivery.webhook_sender import WebhookSender
from codex_proapi.console.alerts.destinations import Shape

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


async def post(url: str, **options: Any) -> Outcome:
    rules = options.pop("rules", ProxyRules())
    sender = WebhookSender(rules, **{"allowed": LOOPBACK, **options})
    return await sender.send(Shape.JSON, WebhookRequest(url=url, headers={"x-a": "b"}, body=b"{}"))


async def test_a_message_arrives_whole() -> None:
    async with webhook_receiver() as receiver:
        outcome = await post(receiver.url)

    path, headers, body = receiver.requests[0]
    assert (outcome.code, outcome.status) == ("delivered", 200)
    assert (path, headers["x-a"], body) == ("/hook", "b", b"{}")
    assert headers["host"] == f"127.0.0.1:{receiver.port}"


async def test_without_permission_nothing_is_connected_however_it_is_written() -> None:
    async with webhook_receiver() as receiver:
        for host in ("127.0.0.1", "localhost", "2130706433", "0.0.0.0", "[::ffff:127.0.0.1]"):
            url = f"https://{host}:{receiver.port}/"
            assert (await post(url, allowed=())).code in {"address_refused", "host_unknown"}, host

    assert receiver.requests == []


async def test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_checked() -> None:
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    async with webhook_receiver() as receiver:
        url = f"http://rebind.example:{receiver.port}/"
        first = await post(url, resolve=rebinding)
        second = await post(url, resolve=rebinding)

    assert (first.code, second.code) == ("delivered", "address_refused")
    assert asked == ["rebind.example"] * 2
    assert receiver.requests[0][1]["host"] == f"rebind.example:{receiver.port}"


async def test_a_redirection_is_not_followed() -> None:
    async with webhook_receiver() as receiver, webhook_receiver() as elsewhere:
        receiver.answers.append(answer(307, location=elsewhere.url))
        outcome = await post(receiver.url)

    assert (outcome.code, outcome.again, elsewhere.requests) == ("redirected", False, [])


async def test_plain_http_goes_to_allowed_addresses_only() -> None:
    async def public(_host: str, _port: int) -> Sequence[str]:
        return ["1.1.1.1"]

    assert (await post("http://x.example/", resolve=public)).code == "insecure_refused"


async def test_a_wrong_certificate_is_no_receiver(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    async with (
        webhook_receiver(authority.server()) as right,
        webhook_receiver(authority.server(names=("elsewhere.test",))) as wrong,
    ):
        assert (await post(right.url)).code == "delivered"
        assert (await post(wrong.url)).code == "unreachable"


@pytest.mark.parametrize("wish", ["99999", "9" * 5000])
async def test_a_long_answer_is_cut_and_a_wish_to_wait_is_bounded(wish: str) -> None:
    async with webhook_receiver() as receiver:
        receiver.answers.append(answer(429, b"x" * 1_000_000, retry_after=wish))
        outcome = await post(receiver.url)

    assert outcome == Outcome(code="http_429", status=429, again=True, retry_after=3600)


async def test_a_name_that_cannot_be_one_is_nobody_s() -> None:
    assert (await post("https://xn--/")).code == "unreachable"


async def test_nobody_there_is_tried_again() -> None:
    outcome = await post(f"http://127.0.0.1:{free_port()}/")

    assert (outcome.code, outcome.again) == ("unreachable", True)


async def test_a_proxy_is_told_the_checked_address() -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with proxy_server("http") as proxy, webhook_receiver() as receiver:
        url = f"http://chat.example:{receiver.port}/"
        rules = ProxyRules(environment=parse_proxy(proxy.url))
        outcome = await post(url, rules=rules, resolve=resolve)

    assert outcome.code == "delivered"
    assert proxy.targets == [f"127.0.0.1:{receiver.port}"]
