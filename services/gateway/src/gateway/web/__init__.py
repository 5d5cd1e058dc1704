"""The edge: raw ASGI for the two hot routes, Litestar for the rest, uvicorn under both."""
