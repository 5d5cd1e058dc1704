"""No API key reaches an account's saved resets, by whatever path and method."""

import pytest
from support.gateways import stage

from codex_proapi.gateway.api.paths import PATHS, PREFIXES
from codex_proapi.simulator.state.accounts import SavedReset

ENDS = (
    "/wham/rate-limit-reset-credits",
    "/rate-limit-reset-credits",
    "/resets",
    "/accounts/resets",
)
CONSOLES = ("/api/accounts", "/api/accounts/{id}/resets", "/api/accounts/{id}/resets/redeem")


def every_path(account: str) -> set[str]:
    """Every path of the gateway, alone and with the backend's and the console's paths behind it."""
    bases = {*PREFIXES, "/backend-api", "/backend-api/codex"}
    behind = {
        f"{base.rstrip('/')}{end}{more}"
        for base in bases
        for end in ENDS
        for more in ("", "/consume")
    }
    below = {f"{path}{ENDS[0]}" for path in PATHS}
    return {*PATHS, *behind, *below, *(path.format(id=account) for path in CONSOLES)}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_no_path_of_the_gateway_lists_or_redeems_them(redis_url: str, method: str) -> None:
    async with stage(redis_url) as play:
        [ada] = await play.log_in("ada")
        _, secret = await play.make_key()
        play.sim.account("ada").saved_resets = [SavedReset(id="saved-reset-1", expires_at=4e9)]
        body = {
            "credit_id": "saved-reset-1",
            "redeem_request_id": "9b2f7c1e-3f1f-4a44-8a6e-0d1f2a3b4c5d",
        }
        headers = {"authorization": f"Bearer {secret}"}

        for path in sorted(every_path(ada)):
            answer = await play.client.request(
                method,
                path,
                json={**body, "reset_id": "saved-reset-1", "confirm": True},
                headers=headers,
            )
            assert "saved-reset-1" not in answer.text.replace(path, "")

        assert not [r for r in play.sim.requests if "reset" in r.path]
        assert play.sim.account("ada").resets_redeemed == 0
