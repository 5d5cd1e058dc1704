"""F5: a login by device code: polled by any console at the server's pace, denied, run out."""

from support.login_scene import Scene, accounts, code_of

from codex_proapi.commons.redis import keyspace
from codex_proapi.simulator import Fault, Simulator


async def test_a_device_code_is_polled_by_any_console_at_the_server_s_pace(scene: Scene) -> None:
    begun = (await scene.here.post("/api/logins", json={"way": "device"})).json()
    assert (begun["standing"], begun["interval"]) == ("waiting", 5)
    assert begun["verification_url"] == f"{scene.sim.auth_url}/codex/device"
    poll = f"/api/logins/{begun['id']}/poll"

    assert (await scene.there.post(poll)).json()["standing"] == "waiting"
    assert polls(scene.sim) == 0  # too early for the server's interval
    await interval_passes(scene, begun["id"])
    assert (await scene.there.post(poll)).json()["standing"] == "waiting"
    assert (await scene.here.post(poll)).json()["standing"] == "waiting"
    assert polls(scene.sim) == 1

    scene.sim.approve_device(begun["user_code"], "cleo")
    await interval_passes(scene, begun["id"])
    done = (await scene.here.post(poll)).json()
    (account,) = await accounts(scene.there)
    assert (done["standing"], done["account"]) == ("done", account["id"])
    assert account["source"] == "device"
    assert (await scene.there.post(poll)).json() == done


async def test_slow_down_makes_the_interval_longer(scene: Scene) -> None:
    begun = (await scene.here.post("/api/logins", json={"way": "device"})).json()
    scene.sim.script(Fault(status=400, body={"error": "slow_down"}), on="device_token")
    await interval_passes(scene, begun["id"])
    await scene.here.post(f"/api/logins/{begun['id']}/poll")

    redis = scene.first.redis
    assert 5 < await redis.ttl(keyspace.login_poll(begun["id"])) <= 10


async def test_a_denied_device_login_ends(scene: Scene) -> None:
    begun = (await scene.here.post("/api/logins", json={"way": "device"})).json()
    scene.sim.deny_device(begun["user_code"])
    await interval_passes(scene, begun["id"])
    ended = (await scene.there.post(f"/api/logins/{begun['id']}/poll")).json()

    assert (ended["standing"], ended["code"]) == ("failed", "access_denied")


async def test_a_device_code_runs_out(scene: Scene) -> None:
    begun = (await scene.here.post("/api/logins", json={"way": "device"})).json()
    scene.clock.pass_(901)
    ended = (await scene.here.post(f"/api/logins/{begun['id']}/poll")).json()

    assert (ended["standing"], ended["code"]) == ("failed", "device_code_expired")


async def test_device_login_that_is_switched_off_says_so(scene: Scene) -> None:
    scene.sim.script(Fault(status=404, body={"detail": "Not Found"}), on="usercode")
    answer = await scene.here.post("/api/logins", json={"way": "device"})

    assert code_of(answer) == (400, "device_login_disabled")


def polls(sim: Simulator) -> int:
    return sum(each.path.endswith("/deviceauth/token") for each in sim.requests)


async def interval_passes(scene: Scene, login_id: str) -> None:
    """Redis counts the interval itself; here it is over at once."""
    await scene.first.redis.delete(keyspace.login_poll(login_id))
