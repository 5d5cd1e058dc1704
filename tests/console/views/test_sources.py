from support.console_pages import filled_console


async def test_pages_read_from_the_stores_the_console_has(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        sources = site.console.parts.sources

        assert sources.accounts is site.console.parts.accounts
        assert sources.redis is site.console.redis
        assert repr(sources).startswith("<Sources ")
