"""Lua scripts that Redis runs atomically; loaded by commons.redis_pool."""
