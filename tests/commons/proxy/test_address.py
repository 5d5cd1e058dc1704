import pytest

from codex_proapi.commons.proxy.address import Proxy, ProxyRules, parse_proxy


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("http://proxy.example:3128", "http://proxy.example:3128"),
        ("http://proxy.example", "http://proxy.example:80"),
        ("https://proxy.example/", "https://proxy.example:443"),
        ("socks5://10.0.0.1", "socks5://10.0.0.1:1080"),
        ("socks5h://[2001:db8::1]:1081", "socks5h://[2001:db8::1]:1081"),
        ("proxy.example:3128", "http://proxy.example:3128"),
        ("HTTP://Proxy.Example:3128", "http://proxy.example:3128"),
    ],
)
def test_an_address_is_read(text: str, name: str) -> None:
    assert parse_proxy(text).name == name


def test_credentials_are_decoded_and_never_printed() -> None:
    proxy = parse_proxy("socks5://ada%40corp:s%2Fe%3Acret%20%C3%A9@proxy.example:1080")

    assert (proxy.username, proxy.password) == ("ada@corp", "s/e:cret é")
    rules = ProxyRules(explicit=proxy)
    assert "ada" not in f"{proxy!r} {proxy} {rules!r} {proxy.name}"
    assert "cret" not in f"{proxy!r} {proxy} {rules!r} {proxy.name}"


@pytest.mark.parametrize(
    "text",
    [
        *("socks4://proxy:1080", "ftp://proxy", "http://", "http://:80", "http://proxy:port"),
        *("http://proxy:0", "http://proxy:99999", "http://proxy/path", "http://proxy?query"),
        *("http://ada:se/cret@proxy:80", "http://ada:se#cret@proxy:80", "http://[::1", "://"),
        *(f"socks5://ada:{'x' * 256}@proxy", "http://a%3Ab:secret@proxy", "http://pro xy:80"),
        *("http://ada:%ff@proxy", f"http://{'x' * 64}.example"),
    ],
)
def test_an_address_that_is_none_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be written http://") as refused:
        parse_proxy(text)

    assert "cret" not in str(refused.value)
    assert refused.value.__cause__ is None


EXPLICIT = Proxy(scheme="http", host="explicit", port=80)
FOUND = Proxy(scheme="http", host="found", port=80)


def test_what_is_set_for_us_holds_for_every_host() -> None:
    rules = ProxyRules(explicit=EXPLICIT, environment=FOUND, no_proxy="*")

    for host in ("chatgpt.com", "127.0.0.1", "localhost"):
        assert rules.proxy_for(host, 443) is EXPLICIT


@pytest.mark.parametrize("host", ["localhost", "sim.localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_the_environments_proxy_leads_to_no_host_of_this_machine(host: str) -> None:
    assert ProxyRules(environment=FOUND).proxy_for(host, 443) is None


@pytest.mark.parametrize(
    ("no_proxy", "host", "exempt"),
    [
        ("", "chatgpt.com", False),
        ("*", "chatgpt.com", True),
        ("openai.com, chatgpt.com", "chatgpt.com", True),
        ("openai.com ChatGPT.com", "chatgpt.com", True),
        (".openai.com", "auth.openai.com", True),
        ("openai.com", "auth.openai.com", True),
        ("*.openai.com", "auth.openai.com", True),
        ("openai.com", "notopenai.com", False),
        ("chatgpt.com:443", "chatgpt.com", True),
        ("chatgpt.com:8443", "chatgpt.com", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.1", "10.1.2.3", False),
        ("10.1.2.3:443", "10.1.2.3", True),
        ("2001:db8::/32", "2001:db8::5", True),
        ("[2001:db8::5]:443", "2001:db8::5", True),
        ("[2001:db8::5]", "2001:db8::5", True),
        ("10.0.0.0/8", "chatgpt.com", False),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8:443", "10.1.2.3", True),
        ("2001:db8:0:0::5", "2001:db8::5", True),
        ("openai.com.", "auth.openai.com", True),
        ("openai.com", "auth.openai.com.", True),
        ("*:443", "chatgpt.com", True),
        ("*:8443", "chatgpt.com", False),
        ("chat*.com", "chatgpt.com", False),
        (",, ,", "chatgpt.com", False),
    ],
)
def test_hosts_that_no_proxy_names_are_reached_directly(
    no_proxy: str, host: str, exempt: bool
) -> None:
    rules = ProxyRules(environment=FOUND, no_proxy=no_proxy)

    assert (rules.proxy_for(host, 443) is None) is exempt


def test_a_url_is_looked_at_by_its_host_and_port() -> None:
    rules = ProxyRules(environment=FOUND, no_proxy="chatgpt.com:8443")

    assert rules.proxy_for_url("https://chatgpt.com/backend-api") is FOUND
    assert rules.proxy_for_url("https://chatgpt.com:8443/backend-api") is None
    assert ProxyRules().proxy_for_url("https://chatgpt.com/backend-api") is None
