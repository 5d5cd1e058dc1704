"""A console whose way to OpenAI is a proxy: signing in, and the test of an account."""

import pathlib

import pytest
from support.certificates import Authority
from support.consoles import Browser, guarded, running
from support.proxies import proxy_server

from codex_proapi.simulator import Simulator


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_sign_in_and_test_go_through_the_proxy_and_name_it_when_it_refuses(
    redis_url: str, scheme: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    said: list[str] = []
    async with (
        proxy_server(scheme, asks=True) as proxy,
        Simulator(tls=authority.server()) as sim,
    ):
        settings = guarded(
            redis_url,
            codex_auth_url=sim.auth_url,
            codex_base_url=sim.base_url,
            upstream_proxy=proxy.url,
        )
        async with (
            running(settings, announce=said.append, clock=sim.world.clock) as console,
            Browser(console) as browser,
        ):
            await browser.sign_in()
            begun = (await browser.post("/api/logins", json={"way": "device"})).json()
            assert begun["verification_url"] == f"{sim.auth_url}/codex/device"
            added = await browser.post("/api/accounts", json={"auth_json": sim.auth_json("ada")})
            account = added.json()["id"]
            path = f"/api/accounts/{account}/test"
            good = (await browser.post(path, json={"answer": True})).json()["steps"]
            proxy.refusal = 2 if scheme == "socks5" else 403
            await proxy.cut()
            [bad] = (await browser.post(path, json={})).json()["steps"]

            assert [step["passed"] for step in good] == [True] * 5
            assert set(proxy.targets) == {f"127.0.0.1:{sim.port}"}
            assert (bad["name"], bad["code"]) == ("connection", "proxy_failed")
            assert bad["facts"]["proxy"].endswith("forbidden")
    assert any(f"{scheme}://localhost:{proxy.port}" in line for line in said)
    assert "ss:w" not in str(said)
    assert "p%40ss" not in str(said)
