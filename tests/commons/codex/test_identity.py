from codex_proapi.commons.codex.endpoints import (
    authorize_url,
    models_url,
    responses_url,
    usage_url,
)
from codex_proapi.commons.codex.identity import Identity, account_headers
from codex_proapi.commons.codex.minimal_request import minimal_request

IDENTITY = Identity(originator="codex_cli_rs", version="0.169.0", product_version="1.2")
AGENT = "codex_cli_rs/0.169.0 (Debian 12.0.0; x86_64) xterm (codex-proapi; 1.2)"


def test_every_request_says_who_we_are_and_for_whom() -> None:
    assert IDENTITY.headers == {"originator": "codex_cli_rs", "user-agent": AGENT}
    assert account_headers(IDENTITY, access_token="t", workspace="ws-1", fedramp=True) == {
        "authorization": "Bearer t",
        "originator": "codex_cli_rs",
        "user-agent": AGENT,
        "version": "0.169.0",
        "chatgpt-account-id": "ws-1",
        "x-openai-fedramp": "true",
    }
    plain = account_headers(IDENTITY, access_token="t", workspace="", fedramp=False)
    assert not {"chatgpt-account-id", "x-openai-fedramp"} & plain.keys()


def test_addresses_are_those_beside_the_base() -> None:
    for base in ("https://b.test/backend-api/codex", "https://b.test/backend-api/codex/"):
        assert responses_url(base) == "https://b.test/backend-api/codex/responses"
        assert models_url(base, "1") == "https://b.test/backend-api/codex/models?client_version=1"
        assert usage_url(base) == "https://b.test/backend-api/wham/usage"
    assert authorize_url("https://a.test/") == "https://a.test/oauth/authorize"


def test_the_smallest_request_has_the_shape_the_model_wants() -> None:
    classic = minimal_request("m", "hi", session_id="s", lite=False)
    lite = minimal_request("m", "hi", session_id="s", lite=True)

    assert (classic["instructions"], "context" in classic["reasoning"]) == ("", False)
    assert ("instructions" in lite, lite["reasoning"]["context"]) == (False, "all_turns")
    assert classic["input"] == lite["input"]
