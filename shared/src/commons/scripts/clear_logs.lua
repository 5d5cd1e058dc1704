-- Set the log aside for a while.
-- KEYS logs, cleared-logs; ARGV seconds
local count = redis.call('XLEN', KEYS[1])
if count == 0 then return 0 end
redis.call('RENAME', KEYS[1], KEYS[2])
redis.call('EXPIRE', KEYS[2], ARGV[1])
return count
