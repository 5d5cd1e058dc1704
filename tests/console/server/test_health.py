"""Whether the process lives, whether it can serve, and its figures."""

from support.consoles import guarded, running, script
from support.redis_server import RedisServer


async def test_a_probe_needs_no_login(redis_url: str) -> None:
    async with running(guarded(redis_url)) as console, script(console) as api:
        health, ready = await api.get("/health"), await api.get("/readyz")
        figures = await api.get("/metrics")

    assert health.json() == {"status": "ok", "service": "console", "redis": ""}
    assert (ready.status_code, ready.json()["redis"]) == (200, "ok")
    assert figures.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"console_http_requests_total" in figures.content


async def test_a_console_on_its_way_out_is_not_ready(redis_url: str) -> None:
    async with running(guarded(redis_url)) as console, script(console) as api:
        console.begin_drain()
        ready, health = await api.get("/readyz"), await api.get("/health")

    assert (ready.status_code, ready.json()["status"]) == (503, "closing")
    assert health.status_code == 200


async def test_without_redis_it_lives_and_is_not_ready() -> None:
    with RedisServer() as server:
        async with running(guarded(server.url)) as console, script(console) as api:
            server.kill()
            ready, health = await api.get("/readyz"), await api.get("/health")

    assert (ready.status_code, ready.json()["redis"]) == (503, "away")
    assert health.status_code == 200


async def test_a_console_whose_loops_fail_again_and_again_is_not_ready(redis_url: str) -> None:
    async with running(guarded(redis_url)) as console, script(console) as api:
        console.lights.loops_down = lambda: ["beat"]
        ready, health = await api.get("/readyz"), await api.get("/health")

    assert (ready.status_code, ready.json()["status"]) == (503, "loops down: beat")
    assert health.status_code == 200
