"""The proxy on the way upstream: its address, and the handshake with it.

`CONNECT` (RFC 9110, section 9.3.6) and SOCKS5 (RFC 1928, with passwords by RFC 1929).
"""
