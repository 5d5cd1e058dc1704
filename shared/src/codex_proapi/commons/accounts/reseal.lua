-- Put a credential under another encryption key, unless it was refreshed meanwhile (and sealed anew).
-- KEYS credential; ARGV generation, sealed credential
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'sealed', ARGV[2])
return 1
