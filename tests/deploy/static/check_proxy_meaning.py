"""What the proxies' configurations mean: who gets a path, what is held back, who is believed; faults are found."""

import re

import pytest
import yaml  # type: ignore[import-untyped]
from deploy.toolbox import DEPLOY

from codex_proapi.gateway.api.paths import FIGURES, PATHS

CONSOLE_PATHS = (
    "/",
    "/accounts",
    "/api/session",
    "/static/app.js",
    "/auth/callback",
    "/v2",
    "/x/v1",
)
FILES = (
    *("proxies/nginx.conf", "proxies/haproxy.cfg", "proxies/Caddyfile", "compose/Caddyfile"),
    "proxies/traefik-routes.yml",
)
HOUR = 3600
MOST_BODY = 64 << 20


def lines_of(text: str) -> list[str]:
    """A configuration without comments and indentation."""
    stripped = (line.split(" # ")[0].strip() for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def leads_to_gateway(name: str, text: str, path: str) -> bool:
    """Whether a path is one of the gateway's by this configuration."""
    if name.endswith("Caddyfile"):
        (matcher,) = re.findall(r"^\s*@gateway path (.+)$", text, re.MULTILINE)
        return any(
            path == each or (each.endswith("*") and path.startswith(each[:-1]))
            for each in matcher.split()
        )
    (pattern,) = re.findall(r"\^/\(v1[^\s`]*", text)
    return re.match(pattern, path) is not None


def path_faults(name: str, text: str) -> list[str]:
    ours = {path for path in PATHS if path != "/" and not path.startswith(FIGURES)}
    ours |= {"/v1/x", "/models/a", "/responses/x"}
    found = [path for path in ours if not leads_to_gateway(name, text, path)]
    return found + [path for path in CONSOLE_PATHS if leads_to_gateway(name, text, path)]


def nginx_faults(text: str) -> list[str]:
    lines = lines_of(text)
    wanted = {
        *("proxy_buffering off;", "proxy_request_buffering off;", "gzip off;"),
        *("proxy_http_version 1.1;", "client_max_body_size 64m;"),
        *("proxy_set_header Host $http_host;", "proxy_set_header X-Forwarded-Host $http_host;"),
        # Not $proxy_add_x_forwarded_for: that passes on what a client claims.
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_set_header X-Forwarded-Proto $scheme;",
        *("proxy_next_upstream error timeout;", "proxy_next_upstream_tries 2;"),
        *("least_conn;", "proxy_connect_timeout 2s;", "large_client_header_buffers 8 16k;"),
        *("proxy_set_header Upgrade $websocket;", "proxy_set_header Connection $connection_out;"),
        *("location /metrics {", "return 404;"),
    }
    found = [f"no {each}" for each in sorted(wanted) if each not in lines]
    found += [f"held back by: {each}" for each in lines if re.match(r"(proxy_)?\w+ on;$", each)]
    for name in ("proxy_read_timeout", "proxy_send_timeout"):
        seconds = re.findall(rf"^{name} (\d+)s;$", "\n".join(lines), re.MULTILINE)
        if [int(each) for each in seconds] != [HOUR]:
            found.append(f"{name} is {seconds}")
    (gateways,) = re.findall(r"upstream codex_gateway \{(.+?)\n\}", text, re.DOTALL)
    for line in lines_of(gateways):
        if line.startswith("server ") and "max_fails=0" not in line:
            found.append(f"kept out after a failure: {line}")
        if line.startswith("keepalive "):
            found.append("a POST is lost on a connection that closes")
    return found


def haproxy_faults(text: str) -> list[str]:
    lines = lines_of(text)
    wanted = {
        *("option http-no-delay", "retry-on conn-failure", "http-reuse never"),
        *("timeout client 1h", "timeout server 1h", "timeout http-request 10s"),
        "http-request del-header X-Forwarded-For",
        "http-request set-header X-Forwarded-For %[src]",
        "http-request set-header X-Forwarded-Host %[req.hdr(Host)]",
        "http-request set-header X-Forwarded-Proto http unless { ssl_fc }",
        "http-request set-header X-Forwarded-Proto https if { ssl_fc }",
        *("balance leastconn", "option redispatch 1", "retries 3", "timeout connect 2s"),
        *("hard-stop-after 10m", "default-server check inter 1s fall 2 rise 1"),
        "http-request return status 404 if { path,url_dec -m sub -i /metrics }",
        "acl to_gateway",
    }
    found = [
        f"no {each}" for each in sorted(wanted) if not any(line.startswith(each) for line in lines)
    ]
    asked = [line for line in lines if line.startswith("option httpchk")]
    if asked != ["option httpchk GET /readyz"] * 2:
        found.append(f"who goes is not seen: {asked}")
    if f"req.hdr(content-length),add(0) gt {MOST_BODY} }}" not in text:
        found.append("bodies of 64 MiB are refused, or larger ones sent")
    names = [line.split()[0:3] for line in lines if line.startswith("http-request")]
    header = "X-Forwarded-For"
    if [n for n in names if n[-1] == header] != [
        ["http-request", "del-header", header],
        ["http-request", "set-header", header],
    ]:
        found.append("a client's own X-Forwarded-For is believed")
    return found


def caddy_faults(text: str) -> list[str]:
    lines = lines_of(text)
    found = []
    (proxied,) = re.findall(r"reverse_proxy @gateway .+?\n\t\}", text, re.DOTALL)
    inner = lines_of(proxied)
    for each in (
        *("health_uri /readyz", "health_interval 1s", "health_timeout 2s", "health_fails 2"),
        *("lb_policy least_conn", "lb_try_duration 5s", "fail_duration 2s"),
        *("dial_timeout 2s", "keepalive off"),
    ):
        if each not in inner:
            found.append(f"no {each}")
    if any(
        re.match(r"(flush_interval|(request|response)_buffers|read_timeout)\b", x) for x in inner
    ):
        found.append("words are held back, or cut")
    if "@figures path /metrics /metrics/*" not in lines or "respond @figures 404" not in lines:
        found.append("figures are shown to everybody")
    if f") > {MOST_BODY}`" not in text:
        found.append("bodies of 64 MiB are refused, or larger ones sent")
    if "HEALTH_PORT" in text:  # in a container of its own
        (health,) = re.findall(r"HEALTH_PORT:\d+\} \{(.+?)\n\}", text, re.DOTALL)
        if lines_of(health) != ["bind 127.0.0.1", "respond 200"] or "admin off" not in lines:
            found.append("its health or its settings are for everybody, or it is never well")
    believed = re.findall(r"trusted_proxies static (.+)$", text, re.MULTILINE)
    if believed not in ([], ["{$OUTER_PROXIES}"]):
        found.append(f"{believed} are believed")
    if "trusted_proxies" in text and "trusted_proxies_strict" not in lines:
        found.append("the first address is believed")
    if not any(line == "grace_period 10m" for line in lines):
        found.append("streams are cut when it is replaced")
    return found


BODY_FIRST = {"status": ["599"], "retryNonIdempotentMethod": True}
"""Of Traefik's retry: a status that no answer has makes it read a body before it asks a service."""


def traefik_faults(text: str) -> list[str]:
    http = yaml.safe_load(text)["http"]
    routers, services = http["routers"], http["services"]
    wanted = {
        "who goes is not seen": services["gateway"]["loadBalancer"].get("healthCheck")
        == {"path": "/readyz", "interval": "1s", "timeout": "10s"},
        "a POST is lost on a connection that closes": services["gateway"]["loadBalancer"].get(
            "serversTransport"
        )
        == "gateway"
        and http["serversTransports"]["gateway"]["maxIdleConnsPerHost"] == -1,
        "a client waits for a gateway that is gone": http["serversTransports"]["gateway"][
            "forwardingTimeouts"
        ]
        == {"dialTimeout": "2s"},
        "figures are shown to everybody": routers["console"]["rule"]
        == "!PathRegexp(`(?i)^/+metrics`)",
        "the console is before the gateway": routers["gateway"]["priority"]
        > routers["console"]["priority"],
        "words are held back": routers["gateway"]["middlewares"] == ["another"]
        and set(http["middlewares"]["another"]) == {"retry"}
        and routers["console"]["middlewares"] == ["another"],
        "a request that was sent is sent again, or one that was not is given up": http[
            "middlewares"
        ]["another"]["retry"]
        == {"attempts": 10, "initialInterval": "250ms", **BODY_FIRST},
    }
    found = [fault for fault, right in wanted.items() if not right]
    large = re.compile(str(routers["large"]["rule"]).split("`")[3])
    limit = int(http["middlewares"]["limit"]["buffering"]["maxRequestBodyBytes"])
    if limit != 64 << 20 or routers["large"]["priority"] <= routers["gateway"]["priority"]:
        found.append("large bodies get no answer")
    for length in (1, limit - 1, limit, 9_999_999):
        if large.match(str(length)):
            found.append(f"{length} bytes are held back")
    for length in (68_000_000, 100_000_000, 9_999_999_999):
        if not large.match(str(length)):
            found.append(f"{length} bytes get no answer")
    return found


def start_faults(text: str) -> list[str]:
    """Of what Traefik starts with."""
    web = yaml.safe_load(text)["entryPoints"]["web"]
    times = web["transport"]["respondingTimeouts"]
    wanted = {
        "strangers are believed": "forwardedHeaders" not in web and "proxyProtocol" not in web,
        "streams are cut": times["writeTimeout"] == "0s",
        "large bodies are cut": times["readTimeout"] == "600s",
        "streams are cut when it is replaced": web["transport"]["lifeCycle"]
        == {"graceTimeOut": "600s"},
        "its own pages are shown": "api" not in yaml.safe_load(text),
    }
    return [fault for fault, right in wanted.items() if not right]


def faults(name: str, text: str) -> list[str]:
    kind = {
        "nginx.conf": nginx_faults,
        "haproxy.cfg": haproxy_faults,
        "Caddyfile": caddy_faults,
        "traefik-routes.yml": traefik_faults,
    }
    return [*path_faults(name, text), *kind[name.rpartition("/")[2]](text)]


def test_traefik_starts_as_the_services_need() -> None:
    assert start_faults((DEPLOY / "proxies/traefik.yml").read_text()) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("readTimeout: 600s", "readTimeout: 60s"),
        ("writeTimeout: 0s", "writeTimeout: 60s"),
        ("graceTimeOut: 600s", "graceTimeOut: 10s"),
        ("    # No forwardedHeaders here", "    forwardedHeaders: {insecure: true}\n    # No"),
        ("global:", "api: {insecure: true}\nglobal:"),
    ],
)
def test_a_start_that_means_something_else_is_found(right: str, wrong: str) -> None:
    text = (DEPLOY / "proxies/traefik.yml").read_text()
    assert right in text

    assert start_faults(text.replace(right, wrong))


@pytest.mark.parametrize("name", FILES)
def test_every_proxy_means_what_the_services_need(name: str) -> None:
    assert faults(name, (DEPLOY / name).read_text()) == []


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("traefik-routes.yml", "path: /readyz", "path: /health"),
        ("traefik-routes.yml", "timeout: 10s", "timeout: 2s"),
        ("traefik-routes.yml", "attempts: 10", "attempts: 3"),
        ("traefik-routes.yml", "maxIdleConnsPerHost: -1", "maxIdleConnsPerHost: 100"),
        ("traefik-routes.yml", "serversTransport: gateway", "passHostHeader: true"),
        ("traefik-routes.yml", "!PathRegexp(`(?i)^/+metrics`)", "PathPrefix(`/`)"),
        ("traefik-routes.yml", "priority: 2", "priority: 0"),
        ("traefik-routes.yml", "[another]", "[another, compress]"),
        ("traefik-routes.yml", 'status: ["599"]', 'status: ["502"]'),
        ("traefik-routes.yml", "retryNonIdempotentMethod: true", ""),
        ("traefik-routes.yml", "|responses|", "|"),
        ("traefik-routes.yml", "6[89]|", "[0-9]{2}|"),
        ("traefik-routes.yml", "67108864", "671088640"),
        ("nginx.conf", "proxy_buffering off", "proxy_buffering on"),
        ("nginx.conf", "proxy_request_buffering off;", ""),
        ("nginx.conf", "gzip off", "gzip on"),
        ("nginx.conf", "proxy_read_timeout 3600s", "proxy_read_timeout 60s"),
        ("nginx.conf", "Host $http_host", "Host $host"),
        ("nginx.conf", "For $remote_addr", "For $proxy_add_x_forwarded_for"),
        ("nginx.conf", "8090 max_fails=0", "8090"),
        ("nginx.conf", "least_conn;", "least_conn; keepalive 16;".replace("; k", ";\n k")),
        ("nginx.conf", "upstream error timeout", "upstream error timeout non_idempotent"),
        ("nginx.conf", "|responses|", "|response|"),
        ("nginx.conf", "least_conn;", "ip_hash;"),
        ("nginx.conf", "proxy_connect_timeout 2s", "proxy_connect_timeout 60s"),
        ("nginx.conf", "_tries 2", "_tries 1"),
        ("nginx.conf", "proxy_set_header Upgrade $websocket;", ""),
        ("nginx.conf", "buffers 8 16k", "buffers 4 1k"),
        ("haproxy.cfg", "fall 2 rise 1\n    server a 127.0.0.1:8080", "fall 1"),
        ("haproxy.cfg", "timeout connect 2s", "timeout connect 60s"),
        ("haproxy.cfg", "balance leastconn", "balance source"),
        ("haproxy.cfg", "option redispatch 1", ""),
        ("haproxy.cfg", "hard-stop-after 10m", "hard-stop-after 10s"),
        ("haproxy.cfg", "X-Forwarded-Proto http unless", "X-Forwarded-Proto https unless"),
        ("haproxy.cfg", "gt 67108864", "gt 6710886"),
        ("proxies/Caddyfile", "fail_duration 2s", "fail_duration 0s"),
        ("proxies/Caddyfile", "lb_policy least_conn", "lb_policy first"),
        ("proxies/Caddyfile", "> 67108864", "> 6710886"),
        ("compose/Caddyfile", "respond 200", "respond 404"),
        ("compose/Caddyfile", "\tbind 127.0.0.1\n", ""),
        ("compose/Caddyfile", "admin off", "admin :2019"),
        ("compose/Caddyfile", "lb_try_duration 5s", "lb_try_duration 0s"),
        ("compose/Caddyfile", "health_fails 2", "health_fails 1"),
        ("compose/Caddyfile", "static {$OUTER_PROXIES}", "static private_ranges"),
        (
            "compose/Caddyfile",
            "dial_timeout 2s\n\t\t\t# A conn",
            "dial_timeout 60s\n\t\t\t# A conn",
        ),
        ("traefik-routes.yml", "dialTimeout: 2s", "dialTimeout: 60s"),
        ("nginx.conf", "location /metrics", "location /metric"),
        ("haproxy.cfg", "httpchk GET /readyz", "httpchk GET /health"),
        ("haproxy.cfg", "http-reuse never", "http-reuse safe"),
        ("haproxy.cfg", "http-request del-header X-Forwarded-For", ""),
        ("haproxy.cfg", "retry-on conn-failure", "retry-on all-retryable-errors"),
        ("haproxy.cfg", "timeout server 1h", "timeout server 60s"),
        ("haproxy.cfg", "|messages|", "|"),
        ("haproxy.cfg", "-i /metrics", "-i /metric"),
        ("proxies/Caddyfile", "health_uri /readyz", "health_uri /health"),
        ("proxies/Caddyfile", "keepalive off", "keepalive 60s"),
        ("proxies/Caddyfile", "/wham/usage /wham", "/wam/usage /wam"),
        ("compose/Caddyfile", "health_uri /readyz", "health_uri /health"),
        ("compose/Caddyfile", "/messages /messages/*", "/message /message/*"),
        ("compose/Caddyfile", "/v1/*", "/*"),
        ("compose/Caddyfile", "/metrics /metrics/*", "/metric"),
        ("compose/Caddyfile", "trusted_proxies_strict", ""),
        ("compose/Caddyfile", "grace_period 10m", "grace_period 10s"),
    ],
)
def test_a_proxy_that_means_something_else_is_found(name: str, right: str, wrong: str) -> None:
    (path,) = [each for each in FILES if each.endswith(name)]
    text = (DEPLOY / path).read_text()
    assert right in text

    assert faults(path, text.replace(right, wrong))
