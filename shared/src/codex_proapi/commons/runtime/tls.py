"""Whom we believe at the other end of TLS: the same for every call a service makes.

That is the system's store of authorities, or the one that SSL_CERT_FILE or SSL_CERT_DIR name; where
there is none at all, the list that comes with certifi.
"""

import ssl

import certifi


def client_context() -> ssl.SSLContext:
    """A context for one client; certificates and host names are checked."""
    context = ssl.create_default_context()
    found = ssl.get_default_verify_paths()
    if found.cafile is None and found.capath is None:
        context.load_verify_locations(certifi.where())
    return context
