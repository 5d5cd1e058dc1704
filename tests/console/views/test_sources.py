from support.furnished import furnished


async def test_pages_read_from_the_stores_the_console_has(redis_url: str) -> None:
    async with furnished(redis_url, empty=True) as visit:
        sources = visit.console.parts.sources

        assert sources.accounts is visit.console.parts.accounts
        assert sources.redis is visit.console.redis
        assert repr(sources).startswith("<Sources ")
