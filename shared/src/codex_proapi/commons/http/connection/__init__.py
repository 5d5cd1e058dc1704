"""One connection of a client, over HTTP/1.1: parsing, deadlines, requests and their responses.

`protocol` is what asyncio and the parser call, `sweep` what is checked once a second, `request_cycle`
a request as ASGI and direct handlers see it. Not here: sockets that listen, and the drain (`http.server`).
"""
