from support.leases import a_lease


def test_a_lease_prints_no_token() -> None:
    assert "token of" not in repr(a_lease())
