"""The Responses API over WebSocket, for clients: one turn after another on a connection that stays.

Each `response.create` becomes the body of a POST and is served through the same door
(`exchange.serve`); its events go out as text frames. Not here: WebSocket to the backend, which is
`upstream.websocket`, and HTTP, which is `commons.http`.
"""
