"""The TLS trust store that all outgoing connections share.

The system's certificate authorities, or those SSL_CERT_FILE or SSL_CERT_DIR name; where there are
none, certifi's.
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
