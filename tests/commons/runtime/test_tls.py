import asyncio
import pathlib
import ssl
from typing import Any

import pytest
import uvloop
from support.certificates import Authority

from codex_proapi.commons.runtime.tls import MOST_HOSTS, client_context


def test_names_and_certificates_are_checked() -> None:
    context = client_context()

    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_an_authority_of_ones_own_takes_the_place_of_the_systems(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(Authority(tmp_path).path))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))

    [known] = client_context().get_ca_certs()

    assert known["subject"] == ((("commonName", "test authority"),),)


def test_where_the_system_knows_nobody_a_list_of_our_own_serves(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))

    assert len(client_context().get_ca_certs()) > 50


LOOPS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


class Visits:
    """A server of TLS, and whether each connection to it resumed a session, as both sides saw it."""

    def __init__(self, server: ssl.SSLContext, client: ssl.SSLContext) -> None:
        self.server, self.client = server, client
        self.resumed: list[tuple[bool, bool]] = []
        self._seen = False
        self.port = 0

    async def serve(self, reader: Any, writer: Any) -> None:
        self._seen = writer.get_extra_info("ssl_object").session_reused
        writer.write(await reader.readline())
        await reader.read()
        writer.close()

    async def connect(self, *names: str) -> None:
        listener = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.server)
        self.port = listener.sockets[0].getsockname()[1]
        try:
            for name in names:
                await self._once(name)
        finally:
            listener.close()

    async def _once(self, name: str) -> None:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.client, server_hostname=name
        )
        writer.write(b"x\n")
        await reader.readline()
        self.resumed.append((writer.get_extra_info("ssl_object").session_reused, self._seen))
        writer.transport.abort()  # as the pool ends a connection: without a goodbye
        await asyncio.sleep(0)


@pytest.fixture
def authority(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.path))
    return made


@LOOPS
@VERSIONS
def test_the_next_connection_to_a_host_resumes_the_session_of_the_last(
    run: Any, version: ssl.TLSVersion, authority: Authority
) -> None:
    server = authority.server()
    server.minimum_version = server.maximum_version = version
    visits = Visits(server, client_context())

    run(visits.connect("localhost", "localhost", "localhost"))

    assert visits.resumed == [(False, False), (True, True), (True, True)]


@LOOPS
def test_a_session_is_offered_to_its_own_host_and_by_its_own_context_alone(
    run: Any, authority: Authority
) -> None:
    server, client = authority.server(), client_context()
    visits = Visits(server, client)
    other = Visits(server, client_context())

    run(visits.connect("localhost", "127.0.0.1", "localhost"))
    run(other.connect("localhost"))

    assert visits.resumed == [(False, False), (False, False), (True, True)]
    assert other.resumed == [(False, False)]


@LOOPS
def test_a_server_that_has_forgotten_a_session_is_shaken_hands_with_anew(
    run: Any, authority: Authority
) -> None:
    client = client_context()
    first, restarted = Visits(authority.server(), client), Visits(authority.server(), client)

    run(first.connect("localhost"))
    run(restarted.connect("localhost", "localhost"))

    assert restarted.resumed == [(False, False), (True, True)]


@LOOPS
def test_after_a_failed_handshake_no_session_is_offered(run: Any, authority: Authority) -> None:
    server, client = authority.server(), client_context()
    wrong = Visits(authority.server(names=("elsewhere.test",)), client)
    visits = Visits(server, client)

    async def connect() -> None:
        await visits.connect("localhost")
        with pytest.raises(ssl.SSLCertVerificationError):
            await wrong.connect("localhost")
        await visits.connect("localhost")

    run(connect())

    assert visits.resumed == [(False, False), (False, False)]


def test_sessions_of_few_hosts_are_kept() -> None:
    context = client_context()
    for number in range(MOST_HOSTS + 1):
        made = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=f"h{number}.test")
        context.keep(made)  # type: ignore[attr-defined]  # a ResumingContext

    assert len(context._last) == 1  # type: ignore[attr-defined]
