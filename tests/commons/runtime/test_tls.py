import pathlib
import ssl

import pytest
from support.certificates import Authority

from codex_proapi.commons.runtime.tls import client_context


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
