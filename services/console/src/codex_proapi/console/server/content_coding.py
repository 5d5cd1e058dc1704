"""Which content coding a client accepts (RFC 9110, 12.5.3). Pure."""

from collections.abc import Iterable

NAMES = frozenset({"gzip", "x-gzip"})
Headers = Iterable[tuple[bytes, bytes]]


def accepts_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` header allows gzip: named or by `*`, and not with `q=0`."""
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, *parameters = (each.strip() for each in part.split(";"))
        weights["gzip" if name in NAMES else name] = _weight(parameters)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def with_plain_coding(headers: Headers) -> list[tuple[bytes, bytes]]:
    """A request's headers with `gzip` or `identity` as the one coding it accepts.

    Litestar looks for the word `gzip` only, so that `gzip;q=0` would get it and `*` would not.
    """
    pairs = list(headers)
    told = ",".join(value.decode("latin-1") for name, value in pairs if name == b"accept-encoding")
    if not told:
        return pairs
    coding = b"gzip" if accepts_gzip(told) else b"identity"
    return [pair for pair in pairs if pair[0] != b"accept-encoding"] + [
        (b"accept-encoding", coding)
    ]


def _weight(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
