-- Forget an API key. Digests that still point at it find nothing.
-- KEYS keys, keys-version, key; ARGV id
local known = redis.call('SREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[3])
redis.call('INCR', KEYS[2])
return known
