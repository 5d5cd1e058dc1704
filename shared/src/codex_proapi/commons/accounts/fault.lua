-- Count a fault of an account; consecutive faults are those since the last success.
-- KEYS faults; ARGV seconds
local count = redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return count
