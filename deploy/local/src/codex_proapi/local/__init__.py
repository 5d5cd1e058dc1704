"""Everything on one machine, from one command: gateway, console and an embedded Redis.

Belongs here: what `serve` and `demo` add to the services (one port, the embedded store, generated
keys) and tools that need the gateway (`replay`); they join the command line by entry points.
Does not belong here: how a request is answered, and anything another member would import.
"""
