"""F5: no token, no state and no password of a login is readable anywhere."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs
from support.login_scene import Scene, leave, path_of
from support.logins import JWT


async def test_no_token_and_no_state_is_ever_readable_in_redis(
    scene: Scene, redis_client: Redis
) -> None:
    url = await leave(scene.here)
    state = parse_qs(urlsplit(url).query)["state"][0]
    await scene.here.post("/api/logins", json={"way": "device"})
    before = await dump(redis_client)
    await scene.here.get(path_of(scene.sim.authorize(url, "ada")))
    after = await dump(redis_client)

    assert state not in before + after
    [account] = await scene.first.parts.accounts.list()
    held = await scene.first.parts.accounts.credential(account.id)
    assert held is not None
    assert held.refresh_token not in after
    assert held.access_token not in after
    assert not JWT.search(after)
    assert scene.here.cookies["cpa-sid-1455"] not in before + after


async def dump(redis: Redis) -> str:
    """Everything in Redis as text."""
    found: list[Any] = []
    async for name in redis.scan_iter():
        match str(await redis.type(name)):
            case "string":
                found.append((name, await redis.get(name)))
            case "hash":
                found.append((name, await redis.hgetall(name)))
            case "set":
                found.append((name, sorted(await redis.smembers(name))))
            case "zset":
                found.append((name, await redis.zrange(name, 0, -1)))
            case "stream":
                found.append((name, await redis.xrange(name)))
            case "none":  # it has ended meanwhile, as locks do
                pass
            case other:
                pytest.fail(f"{name} is a {other}")
    return json.dumps(found)


async def test_no_secret_reaches_a_log_a_metric_an_error_or_the_audit(
    scene: Scene, redis_client: Redis
) -> None:
    content = scene.sim.auth_json("ada")
    secrets = [
        *(str(token) for token in content["tokens"].values() if isinstance(token, str)),
        *("wrong-password-canary", "cpadm-canary-0123456789", scene.here.cookies["cpa-sid-1455"]),
    ]
    with capture_logs() as lines:
        answers = [
            await scene.here.post("/api/accounts", json={"auth_json": content}),
            await scene.here.post("/api/accounts", json={"auth_json": json.dumps(content)[:-9]}),
            await scene.here.post("/api/session", json={"password": "wrong-password-canary"}),
            await scene.here.get(
                "/api/keys", headers={"authorization": "Bearer cpadm-canary-0123456789"}
            ),
            await scene.here.get("/api/sessions"),
        ]
        account = answers[0].json()["id"]
        answers += [
            await scene.here.post(f"/api/accounts/{account}/test", json={"answer": True}),
            await scene.here.post(f"/api/accounts/{account}/refresh"),
            await scene.here.get("/api/audit"),
            await scene.here.get("/api/logs"),
            await scene.here.get("/metrics"),
        ]
        held = await scene.first.parts.accounts.credential(account)
        assert held is not None
        secrets += [held.access_token, held.refresh_token]
        await scene.here.delete(f"/api/accounts/{account}")
    everything = f"{lines} {await dump(redis_client)} " + " ".join(a.text for a in answers)

    workspace = content["tokens"]["account_id"]
    for secret in secrets:
        assert secret == workspace or secret[:24] not in everything
