from support.leases import a_lease

from codex_proapi.gateway.pool.lease import LeaseRequest


async def test_a_wish_confirms_nothing_unless_it_is_told_how() -> None:
    assert await LeaseRequest(model="gpt-5.5").confirm(7) is None


def test_a_lease_prints_no_token() -> None:
    assert "token of" not in repr(a_lease())
