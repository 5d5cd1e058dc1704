"""The Lua scripts, each one atomic step on the server; `redis.clients.Scripts` runs them by name."""
