"""Everything on one machine, from one command: gateway, console and an embedded Redis.

The only member that knows both services. `cli` is what people type, `serving` runs both
applications on one port (`one_port`), `embedded_redis` keeps the store, `secret_files` the
generated keys, `demo` puts `simulator` in the place of the real backend. Nothing here decides how
a request is answered; nothing imports this member.
"""
