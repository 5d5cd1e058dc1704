"""An owner's accounts: added by four ways with consent, his alone, on his terms, out at his word."""

import asyncio
import json

import pytest
from support.login_scene import code_of, path_of
from support.logins import a_jwt, a_login
from support.owner_scene import AGREED, OwnerBrowser, OwnerScene, sign_in_account

from codex_proapi.commons.codex.claims import AUTH_CLAIM
from codex_proapi.commons.owner_terms.terms import Consent
from codex_proapi.commons.redis import keyspace, operator_keys
from codex_proapi.console.owners.consent import CURRENT
from codex_proapi.simulator import Fault


async def test_a_pasted_address_makes_the_account_his_with_his_consent(scene: OwnerScene) -> None:
    account_id = await sign_in_account(scene.ada, scene.sim)

    account = await scene.first.parts.accounts.get(account_id)
    assert account is not None
    assert account.owner == scene.ada_id
    assert account.terms.consent == Consent(at=int(scene.clock()), wording=CURRENT)
    assert [own["id"] for own in await scene.ada.own()] == [account_id]
    assert await scene.ben.own() == []


async def test_the_browser_s_way_begun_here_ends_on_the_other_console_at_his_page(
    scene: OwnerScene,
) -> None:
    begun = await scene.ada.post("/api/owner/logins", json={"way": "browser", **AGREED})
    back = path_of(scene.sim.authorize(begun.json()["authorize_url"], "ada"))
    async with OwnerBrowser(scene.second) as there:
        there.cookies = scene.ada.cookies
        answer = await there.get(back)

    (own,) = await scene.ada.own()
    assert answer.headers["location"] == f"/owner?signed_in={own['id']}"
    stored = await scene.first.parts.accounts.get(own["id"])
    assert stored is not None
    assert (stored.owner, stored.source) == (scene.ada_id, "browser")


async def test_a_device_code_makes_it_his(scene: OwnerScene) -> None:
    begun = (await scene.ada.post("/api/owner/logins", json={"way": "device", **AGREED})).json()
    scene.sim.approve_device(begun["user_code"], "ada")
    await scene.first.redis.delete(keyspace.login_poll(begun["id"]))
    done = (await scene.ada.post(f"/api/owner/logins/{begun['id']}/poll")).json()

    assert done["standing"] == "done"
    assert [own["id"] for own in await scene.ada.own()] == [done["account"]]


async def test_an_auth_json_makes_it_his_once_openai_has_said_whose_it_is(
    scene: OwnerScene,
) -> None:
    file = scene.sim.auth_json("ada")
    preview = await scene.ada.post("/api/owner/accounts/preview", json={"auth_json": file})
    assert await scene.ada.own() == []
    body = {"auth_json": json.dumps(file), "name": "Mine", **AGREED}
    answer = await scene.ada.post("/api/owner/accounts", json=body)

    assert answer.status_code == 201, answer.text
    assert (answer.json()["id"], answer.json()["name"]) == (preview.json()["id"], "Mine")
    assert [call.grant_type for call in scene.sim.token_calls] == ["refresh_token"]


async def test_an_access_token_makes_it_his_as_openai_names_it(scene: OwnerScene) -> None:
    token = scene.sim.account("cleo").access_key
    body = {"access_token": token, **AGREED}
    answer = await scene.ada.post("/api/owner/accounts", json=body)

    assert answer.status_code == 201, answer.text
    account = await scene.first.parts.accounts.get(answer.json()["id"])
    assert account is not None
    assert (account.owner, account.terms.consent.wording) == (scene.ada_id, CURRENT)
    stolen = await scene.ben.post("/api/owner/accounts", json=body)
    assert code_of(stolen) == (409, "owned_by_other")


async def test_a_file_that_only_claims_an_account_gets_nobody_anything(scene: OwnerScene) -> None:
    """Whoever knows the ids of an account could write such tokens himself."""
    victim = await scene.first.parts.accounts.add(a_login(exp=int(scene.clock()) + 864_000))
    auth = {"chatgpt_account_id": "ws-1", "chatgpt_user_id": "user-1"}
    forged = a_jwt(exp=int(scene.clock()) + 864_000, **{AUTH_CLAIM: auth})
    own = scene.sim.auth_json("ada")["tokens"]["refresh_token"]
    for refresh_token, code in (
        ("", (400, "auth_json_unproven")),
        ("rt_invented", (400, "auth_json_expired")),
        (own, (409, "other_identity")),
    ):
        file = {"tokens": {"access_token": forged, "refresh_token": refresh_token}}
        answer = await scene.ada.post("/api/owner/accounts", json={"auth_json": file, **AGREED})
        assert code_of(answer) == code

    assert await scene.first.parts.accounts.get(victim.id) == victim
    assert await scene.ada.own() == []


@pytest.mark.parametrize("consent", [{}, {"consent": ""}, {"consent": "2020-01"}])
async def test_without_consent_nothing_begins(scene: OwnerScene, consent: dict[str, str]) -> None:
    for way in ("browser", "pasted", "device"):
        answer = await scene.ada.post("/api/owner/logins", json={"way": way, **consent})
        assert code_of(answer) == (403, "consent_needed")
    body = {"auth_json": scene.sim.auth_json("ada"), **consent}
    assert code_of(await scene.ada.post("/api/owner/accounts", json=body)) == (
        403,
        "consent_needed",
    )
    assert scene.sim.token_calls == []


async def test_signing_his_own_account_in_again_keeps_consent_and_terms(scene: OwnerScene) -> None:
    account_id = await sign_in_account(scene.ada, scene.sim)
    path = f"/api/owner/accounts/{account_id}/terms"
    await scene.ada.patch(path, json={"reserved_percent": {"weekly": 40}})
    before = (await scene.ada.own())[0]
    scene.clock.pass_(100)
    begun = await scene.ada.post("/api/owner/logins", json={"way": "pasted", "account": account_id})
    back = scene.sim.authorize(begun.json()["authorize_url"], "ada")
    await scene.ada.post("/api/owner/logins/callback", json={"url": back})

    own = (await scene.ada.own())[0]
    kept = ("terms", "consent_at", "consent_wording")
    assert [own[name] for name in kept] == [before[name] for name in kept]


async def test_an_account_of_another_owner_stays_his(scene: OwnerScene) -> None:
    account_id = await sign_in_account(scene.ada, scene.sim)
    before = await scene.first.redis.hgetall(keyspace.credential(account_id))
    begun = await scene.ben.post("/api/owner/logins", json={"way": "pasted", **AGREED})
    back = scene.sim.authorize(begun.json()["authorize_url"], "ada")
    answer = await scene.ben.post("/api/owner/logins/callback", json={"url": back})
    body = {"auth_json": scene.sim.auth_json("ada"), **AGREED}
    imported = await scene.ben.post("/api/owner/accounts", json=body)

    assert code_of(answer) == (409, "owned_by_other")
    assert code_of(imported) == (409, "owned_by_other")
    assert await scene.first.redis.hgetall(keyspace.credential(account_id)) == before
    assert [own["id"] for own in await scene.ada.own()] == [account_id]


async def test_a_login_of_the_administrator_s_becomes_his_with_the_terms_it_had(
    scene: OwnerScene,
) -> None:
    file = {"auth_json": scene.sim.auth_json("ada")}
    added = (await scene.administrator.post("/api/accounts", json=file)).json()
    assert await sign_in_account(scene.ada, scene.sim) == added["id"]
    (own,) = await scene.ada.own()
    assert own["consent_wording"] == CURRENT

    renewed = await scene.administrator.post(
        "/api/accounts", json={"auth_json": scene.sim.auth_json("ada")}
    )
    account = await scene.first.parts.accounts.get(renewed.json()["id"])
    assert account is not None
    assert account.owner == scene.ada_id


async def test_two_owners_who_sign_one_account_in_at_once_are_not_both_its_owner(
    scene: OwnerScene,
) -> None:
    backs = []
    for owner in (scene.ada, scene.ben):
        begun = await owner.post("/api/owner/logins", json={"way": "pasted", **AGREED})
        backs.append(scene.sim.authorize(begun.json()["authorize_url"], "ada"))
    answers = await asyncio.gather(
        *(
            owner.post("/api/owner/logins/callback", json={"url": back})
            for owner, back in zip((scene.ada, scene.ben), backs, strict=True)
        )
    )

    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert len(await scene.ada.own() + await scene.ben.own()) == 1


async def test_an_account_whose_owner_is_no_more_can_be_signed_in_by_another(
    scene: OwnerScene,
) -> None:
    account_id = await sign_in_account(scene.ada, scene.sim)
    await scene.first.redis.hdel(operator_keys.owners(), scene.ada_id)

    assert await sign_in_account(scene.ben, scene.sim) == account_id
    assert [own["id"] for own in await scene.ben.own()] == [account_id]


async def test_an_owner_who_was_removed_meanwhile_gets_no_account(scene: OwnerScene) -> None:
    begun = await scene.ada.post("/api/owner/logins", json={"way": "device", **AGREED})
    scene.sim.approve_device(begun.json()["user_code"], "ada")
    await scene.first.redis.delete(keyspace.login_poll(begun.json()["id"]))
    pending = await scene.first.parts.devices._pending.take(begun.json()["id"])
    assert pending is not None
    await scene.administrator.delete(f"/api/owners/{scene.ada_id}")
    await scene.first.parts.devices._ask(pending)

    assert await scene.first.parts.accounts.list() == []


async def test_the_id_of_another_s_account_finds_nothing(scene: OwnerScene) -> None:
    account_id = await sign_in_account(scene.ada, scene.sim)
    home = f"/api/owner/accounts/{account_id}"
    answers = [
        await scene.ben.get(home),
        await scene.ben.patch(f"{home}/terms", json={"paused": True}),
        await scene.ben.delete(home),
        await scene.ben.post(
            "/api/owner/logins", json={"way": "device", "account": account_id, **AGREED}
        ),
        await scene.ben.post(
            "/api/owner/accounts",
            json={"auth_json": scene.sim.auth_json("ben"), "account": account_id, **AGREED},
        ),
    ]

    assert {code_of(answer) for answer in answers} == {(404, "unknown_account")}
    assert [own["terms"].get("paused", False) for own in await scene.ada.own()] == [False]


async def test_a_login_begun_by_one_owner_is_not_finished_by_another(scene: OwnerScene) -> None:
    begun = (await scene.ada.post("/api/owner/logins", json={"way": "pasted", **AGREED})).json()
    home = f"/api/owner/logins/{begun['id']}"
    assert code_of(await scene.ben.get(home)) == (404, "login_unknown")
    assert code_of(await scene.ben.delete(home)) == (404, "login_unknown")
    back = scene.sim.authorize(begun["authorize_url"], "ada")
    stolen = await scene.ben.post("/api/owner/logins/callback", json={"url": back})

    assert code_of(stolen) == (400, "login_other_session")
    assert await scene.ben.own() == []


async def test_leaving_revokes_the_login_and_deletes_its_tokens(scene: OwnerScene) -> None:
    account_id = await sign_in_account(scene.ada, scene.sim)
    answer = await scene.ada.delete(f"/api/owner/accounts/{account_id}")

    assert answer.json() == {"login_revoked": True}
    assert await scene.ada.own() == []
    assert await scene.first.redis.exists(keyspace.credential(account_id)) == 0
    assert (await scene.first.parts.audit.page())[0].event.action == "account.left"
    assert code_of(await scene.ada.get(f"/api/owner/accounts/{account_id}"))[0] == 404

    assert await sign_in_account(scene.ben, scene.sim) == account_id
    assert code_of(await scene.ada.delete(f"/api/owner/accounts/{account_id}"))[0] == 404


async def test_leaving_while_openai_is_away_deletes_the_tokens_and_says_so(
    scene: OwnerScene,
) -> None:
    account_id = await sign_in_account(scene.ada, scene.sim)
    await scene.sim.refuse_connections()
    scene.sim.script(Fault(status=503), on="revoke")
    answer = await scene.ada.delete(f"/api/owner/accounts/{account_id}")

    assert answer.json() == {"login_revoked": False}
    assert await scene.first.redis.exists(keyspace.credential(account_id)) == 0


async def test_an_owner_with_accounts_is_not_removed(scene: OwnerScene) -> None:
    account_id = await sign_in_account(scene.ada, scene.sim)
    answer = await scene.administrator.delete(f"/api/owners/{scene.ada_id}")
    assert code_of(answer) == (409, "owner_has_accounts")

    await scene.administrator.delete(f"/api/accounts/{account_id}")
    gone = await scene.administrator.delete(f"/api/owners/{scene.ada_id}")
    assert gone.status_code == 204


async def test_logins_of_an_owner_are_limited(scene: OwnerScene) -> None:
    body = {"way": "pasted", **AGREED}
    codes = [(await scene.ada.post("/api/owner/logins", json=body)).status_code for _ in range(6)]

    assert codes == [201] * 5 + [429]
    assert (await scene.ben.post("/api/owner/logins", json=body)).status_code == 201
