"""An owner changes the terms of his accounts: in part, by name, and nobody but him."""

import pytest
from support.login_scene import code_of
from support.owner_scene import OwnerScene, sign_in_account

from codex_proapi.commons.redis import keyspace
from codex_proapi.console.owners.consent import CURRENT


async def test_terms_are_changed_in_part_and_each_change_is_in_the_audit(scene: OwnerScene) -> None:
    account_id = await sign_in_account(scene.ada, scene.sim)
    home = f"/api/owner/accounts/{account_id}/terms"
    hours = [{"days": ["mon", "tue"], "from": "19:00", "until": "07:00"}]
    await scene.ada.patch(home, json={"time_zone": "Asia/Shanghai", "hours": hours})
    await scene.ada.patch(home, json={"reserved_percent": {"weekly": 40}, "key_groups": ["team"]})
    answer = await scene.ada.patch(home, json={"paused": True})
    await scene.ada.patch(home, json={"paused": True})
    await scene.ada.patch(home, json={"paused": False})

    terms = answer.json()["terms"]
    assert (terms["time_zone"], terms["hours"], terms["paused"]) == ("Asia/Shanghai", hours, True)
    assert terms["reserved_percent"] == {"five_hour": 0.0, "weekly": 40.0, "monthly": 0.0}
    assert terms["key_groups"] == ["team"]
    assert answer.json()["consent_wording"] == CURRENT
    events = [each.event for each in await scene.first.parts.audit.page()]
    assert [(e.action, e.actor) for e in reversed(events) if e.account][1:] == [
        ("account.terms_changed", "owner:Ada"),
        ("account.terms_changed", "owner:Ada"),
        ("account.paused_by_owner", "owner:Ada"),
        ("account.resumed_by_owner", "owner:Ada"),
    ]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"hours": [{"day": ["mon"]}]}, "hours[0].day"),
        ({"reserved_percent": {"weekley": 40}}, "reserved_percent.weekley"),
        ({"keys": ["key_0123456789ab"]}, "keys[0]"),
        ({"key_groups": [""]}, "key_groups[0]"),
        ({"time_zone": "Nowhere/City"}, "time_zone"),
        ({"hours": [{"days": [], "from": "09:00", "until": "17:00"}]}, "hours[0].days"),
        ({"hours": [{"days": ["mon"], "from": "9", "until": "17:00"}]}, "hours[0].from"),
        ({"reserved_percent": {"weekly": 101}}, "reserved_percent.weekly"),
        ({"consent": {"at": 1, "wording": CURRENT}}, "consent"),
        ({"paused": "yes"}, "paused"),
    ],
)
async def test_terms_that_nobody_can_mean_are_told_by_name(
    scene: OwnerScene, body: dict[str, object], param: str
) -> None:
    account_id = await sign_in_account(scene.ada, scene.sim)
    before = (await scene.ada.own())[0]["terms"]
    answer = await scene.ada.patch(f"/api/owner/accounts/{account_id}/terms", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert (await scene.ada.own())[0]["terms"] == before


async def test_what_cannot_be_read_of_the_terms_is_not_replaced_in_part(scene: OwnerScene) -> None:
    account_id = await sign_in_account(scene.ada, scene.sim)
    home = f"/api/owner/accounts/{account_id}/terms"
    stored = '{"hours":"a newer form"}'
    await scene.first.redis.hset(keyspace.account(account_id), "terms", stored)
    part = await scene.ada.patch(home, json={"paused": False})
    after = await scene.first.redis.hget(keyspace.account(account_id), "terms")
    whole = await scene.ada.patch(
        home,
        json={
            "time_zone": "UTC",
            "hours": [],
            "reserved_percent": {},
            "key_groups": [],
            "keys": [],
            "paused": False,
        },
    )

    assert (part.status_code, part.json()["error"]["param"]) == (400, "terms")
    assert after == stored
    assert (whole.status_code, whole.json()["closed"]) == (200, None)


async def test_the_administrator_cannot_loosen_an_owner_s_terms(scene: OwnerScene) -> None:
    account_id = await sign_in_account(scene.ada, scene.sim)
    home = f"/api/owner/accounts/{account_id}/terms"
    await scene.ada.patch(home, json={"paused": True, "reserved_percent": {"weekly": 40}})
    changed = await scene.administrator.put(f"/api/accounts/{account_id}/terms", json={})
    resumed = await scene.administrator.patch(f"/api/accounts/{account_id}", json={"paused": False})
    renewed = await scene.administrator.post(
        "/api/accounts", json={"auth_json": scene.sim.auth_json("ada")}
    )

    assert code_of(changed) == (403, "owners_terms")
    assert (resumed.status_code, renewed.status_code) == (200, 201)
    (own,) = await scene.ada.own()
    assert own["closed"] == {"term": "paused", "until": 0.0}
    assert own["terms"]["reserved_percent"]["weekly"] == 40.0


async def test_changes_of_an_owner_are_limited_so_that_he_cannot_fill_the_audit(
    scene: OwnerScene,
) -> None:
    home = f"/api/owner/accounts/{await sign_in_account(scene.ada, scene.sim)}/terms"
    codes = [
        (await scene.ada.patch(home, json={"paused": number % 2 == 0})).status_code
        for number in range(31)
    ]

    assert codes == [200] * 30 + [429]
    assert (await scene.ada.patch(home, json={"paused": False})).status_code == 200  # no change
