-- Keep a lock for longer; also if it is gone (Redis restarted), not if another owner has it.
-- KEYS lock; ARGV our token, seconds
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
