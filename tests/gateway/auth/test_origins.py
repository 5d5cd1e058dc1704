from typing import Any

import pytest

from codex_proapi.gateway.auth.caller import Caller
from codex_proapi.gateway.auth.origins import TrustedOrigins
from codex_proapi.gateway.errors import OriginRefused

TRUSTED = TrustedOrigins(
    public_url="https://ai.example.org/base", allowed=("https://chat.example.org:8443",)
)


def check(**headers: str) -> None:
    TRUSTED.check(Caller.of({name.encode(): value.encode() for name, value in headers.items()}))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "127.0.0.1:1455"},
        {"host": "localhost"},
        {"host": "LOCALHOST.:1455"},
        {"host": "[::1]:1455"},
        {"host": "app.localhost:1455"},
        {"host": "192.168.1.5:1455"},
        {"host": "gateway:8080"},
        {"host": "host.docker.internal:1455"},
        {"host": "host.containers.internal:1455"},
        {"host": "gateway.codex.svc.cluster.local:8080"},
        {"host": "gateway.codex.svc:8080"},
        {"host": "nas.lan"},
        {"host": "mac-mini.local:1455", "origin": "http://mac-mini.local:1455"},
        {"host": "ai.example.org"},
        {"host": "chat.example.org"},
        {"host": "127.0.0.1:1455", "origin": "http://localhost:3000"},
        {"host": "127.0.0.1:1455", "origin": "http://127.0.0.2"},
        {"host": "127.0.0.1:1455", "origin": "https://[::1]:3000"},
        {"host": "ai.example.org", "origin": "https://ai.example.org"},
        {"host": "ai.example.org", "origin": "https://ai.example.org:443"},
        {"host": "127.0.0.1:1455", "origin": "https://chat.example.org:8443"},
        {"host": "192.168.1.5:1455", "origin": "http://192.168.1.5:1455"},
    ],
)
def test_this_machine_and_what_is_listed_is_served(headers: Any) -> None:
    check(**headers)


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "null", "", "file://", "http://localhost.evil.example"),
        *("http://127.0.0.1.evil.example", "http://evil.example#localhost", "http://localhost@x.example"),
        *("https://localhost:3000/path", "https://chat.example.org", "http://ai.example.org"),
        *("http://192.168.1.6:1455", "https://evil.example, http://localhost", "http://127.0.0.1:80:80"),
    ],
)  # fmt: skip
def test_any_other_page_is_refused(origin: str) -> None:
    with pytest.raises(OriginRefused) as refused:
        check(host="192.168.1.5:1455", origin=origin)

    assert (refused.value.status, refused.value.code) == (403, "origin_not_allowed")


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:1455", "localhost.evil.example", "127.0.0.1.evil.example"),
        *("localhost, evil.example", "evil.example/@localhost", "192.168.1.5.nip.io"),
        *(
            "internal.evil.example",
            "evil-local.example",
            "eviL.lan.example",
            "a.internal.evil.example",
        ),
    ],
)
def test_a_name_of_the_internet_that_is_pointed_here_is_refused(host: str) -> None:
    with pytest.raises(OriginRefused):
        check(host=host)
    with pytest.raises(OriginRefused):
        check(host=host, origin=f"http://{host}")
