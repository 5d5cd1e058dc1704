"""An owner redeems saved resets of his own accounts, and of no other."""

from typing import NamedTuple

import pytest
from support.consoles import Browser
from support.login_scene import code_of
from support.owner_scene import AGREED, OwnerBrowser, OwnerScene

from codex_proapi.simulator import Simulator
from codex_proapi.simulator.state.accounts import SavedReset

BODY = {"reset_id": "saved-1", "confirm": True}


class Resets(NamedTuple):
    """A console with its administrator and two owners; the first has an account with a reset."""

    sim: Simulator
    administrator: Browser
    ada: OwnerBrowser
    ben: OwnerBrowser
    account_id: str


@pytest.fixture
async def resets(scene: OwnerScene) -> Resets:
    token = scene.sim.account("ada").access_key
    added = await scene.ada.post("/api/owner/accounts", json={"access_token": token, **AGREED})
    assert added.status_code == 201, added.text
    saved = SavedReset(id="saved-1", expires_at=scene.clock() + 86_400)
    scene.sim.account("ada").saved_resets = [saved]
    return Resets(scene.sim, scene.administrator, scene.ada, scene.ben, str(added.json()["id"]))


async def test_he_redeems_his_saved_reset_and_the_administrator_repeats_nothing(
    resets: Resets,
) -> None:
    home, path = f"/api/owner/accounts/{resets.account_id}", f"/api/accounts/{resets.account_id}"

    listed = (await resets.ada.get(f"{home}/resets")).json()
    done = await resets.ada.post(f"{home}/resets/redeem", json=BODY)
    again = (await resets.administrator.post(f"{path}/resets/redeem", json=BODY)).json()

    assert listed["available"] == 1
    assert (done.status_code, done.json()["first"]) == (200, True)
    assert (again["first"], again["request_id"]) == (False, done.json()["request_id"])
    assert resets.sim.account("ada").resets_redeemed == 1


async def test_another_owner_and_the_administrator_s_path_are_closed_to_him(resets: Resets) -> None:
    home, path = f"/api/owner/accounts/{resets.account_id}", f"/api/accounts/{resets.account_id}"

    others = [
        await resets.ben.get(f"{home}/resets"),
        await resets.ben.post(f"{home}/resets/redeem", json=BODY),
    ]
    refused = await resets.ada.post(f"{path}/resets/redeem", json=BODY)

    assert {code_of(answer) for answer in others} == {(404, "unknown_account")}
    assert refused.status_code in {401, 403, 404}
    assert resets.sim.account("ada").resets_redeemed == 0


async def test_attempts_are_limited_so_that_he_cannot_fill_the_audit(resets: Resets) -> None:
    path = f"/api/owner/accounts/{resets.account_id}/resets/redeem"

    answers = [
        await resets.ada.post(path, json={"reset_id": f"none-{n}", "confirm": True})
        for n in range(31)
    ]

    assert {code_of(answer) for answer in answers[:30]} == {(404, "unknown_reset")}
    assert answers[30].status_code == 429
    assert int(answers[30].headers["retry-after"]) > 0


async def test_what_he_has_openai_asked_is_limited(resets: Resets) -> None:
    path = f"/api/owner/accounts/{resets.account_id}/resets"
    body = {"auth_json": "no login"}

    lists = [await resets.ada.get(path) for _ in range(20)]
    looks = [await resets.ada.post("/api/owner/accounts/preview", json=body) for _ in range(11)]

    assert {answer.status_code for answer in lists} == {200}
    assert {answer.status_code for answer in looks[:10]} == {400}
    assert code_of(looks[10]) == (429, "too_many_attempts")
    assert code_of(await resets.ada.get(path)) == (429, "too_many_attempts")
    assert (await resets.ben.post("/api/owner/accounts/preview", json=body)).status_code == 400
