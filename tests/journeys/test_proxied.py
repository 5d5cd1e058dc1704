"""A gateway whose way to the backend is a proxy: real proxies, and a backend with TLS."""

import pathlib
from typing import Any

import pytest
from support.certificates import Authority
from support.free_ports import free_port
from support.gateways import a_chat, events_of, reading, stage, text_of
from support.proxies import PAIR, proxy_server

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.simulator import Simulator


@pytest.fixture
def authority(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Who signs the certificates of backend and proxy; everybody trusts it."""
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.path))
    return made


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
async def test_chat_refresh_models_and_quota_go_through_the_proxy(
    redis_url: str, authority: Authority, scheme: str
) -> None:
    tls = authority.server() if scheme == "https" else None
    async with (
        proxy_server(scheme, asks=True, tls=tls) as proxy,
        stage(
            redis_url, "ada", backend=Simulator(tls=authority.server()), upstream_proxy=proxy.url
        ) as play,
    ):
        await play.until_polled()
        play.sim.invalidate_access_tokens("ada")
        whole = await play.chat("say hello there")
        stream = await play.chat("say hello again", stream=True)

        assert (whole.status_code, stream.status_code) == (200, 200)
        assert "hello there" in whole.text
        assert text_of(events_of(stream.content)) == "hello again"
        assert len(play.sim.token_calls) == 1
        assert set(proxy.targets) == {f"127.0.0.1:{play.sim.port}"}
        assert len(proxy.targets) < len(play.sim.requests), "connections are used again"


async def test_a_proxy_that_dies_ends_the_stream_and_blames_no_account(redis_url: str) -> None:
    async with (
        proxy_server("socks5") as proxy,
        stage(redis_url, "ada", upstream_proxy=proxy.url) as play,
    ):
        play.sim.script("silent_between", silence=600)
        body = a_chat("say hello there", stream=True)
        async with reading(play.replicas[0], "/v1/chat/completions", body) as answer:
            said = await answer.content.readany()
            while b"hello" not in said:
                said += await answer.content.readany()
            await proxy.cut()
            said += await answer.read()

        assert "error" in events_of(said)[-1]
        [record] = await play.records()
        assert record.ending is Ending.BROKEN
        assert await play.cooling() == {}
        assert (await play.chat("say hello")).status_code == 200, "the proxy is there again"


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"asks": True}, "407 authentication required"),
        ({"refusal": 403}, "403 forbidden"),
        ({"refusal": 502}, "502 bad gateway"),
    ],
)
async def test_a_proxy_that_refuses_is_named_and_no_account_is_blamed(
    redis_url: str, changes: dict[str, Any], cause: str
) -> None:
    async with proxy_server("http") as proxy:
        wrong = proxy.url.replace("://", "://ada:secret@")
        for name, value in changes.items():
            setattr(proxy, name, value)
        async with stage(redis_url, "ada", "ben", upstream_proxy=wrong) as play:
            answer = await play.chat()

            assert answer.status_code == 502
            error = answer.json()["error"]
            assert error["code"] == "upstream_unreachable"
            assert cause in error["message"]
            [record] = await play.records()
            assert {attempt.cause for attempt in record.attempts} == {f"proxy: {cause}"}
            assert await play.cooling() == {}
            metrics = (await play.client.get("/metrics")).text
            assert 'gateway_upstream_connect_failures_total{cause="proxy"}' in metrics
            assert "secret" not in f"{answer.text}{metrics}{record!r}{play.replicas[0].gateway!r}"
            assert not play.sim.requests


async def test_the_environments_proxy_is_left_out_where_no_proxy_says_so(redis_url: str) -> None:
    """Nobody listens at the proxy's port: what is answered went directly."""
    away = f"http://{':'.join(PAIR[:1])}@127.0.0.1:{free_port()}"
    async with stage(redis_url, "ada", https_proxy=away) as play:  # the backend is on loopback
        assert (await play.chat()).status_code == 200
        other = await play.add_replica(upstream_proxy=away, no_proxy="*")
        answer = await play.client.post(f"{other.url}/v1/chat/completions", json=a_chat())

        assert answer.status_code == 502, "what is set for this product alone holds everywhere"
