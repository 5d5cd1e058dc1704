-- Save a refreshed credential if nobody saved another one meanwhile (compare-and-set).
-- KEYS credential, account, accounts-version, cooldowns, refresh-pause
-- ARGV account id, expected generation, sealed credential, field/value pairs of the account
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'generation', tonumber(ARGV[2]) + 1, 'sealed', ARGV[3])
if redis.call('HGET', KEYS[2], 'state') == 'revoked' then
  redis.call('HSET', KEYS[2], 'state', 'active', 'state_reason', '')
end
redis.call('HSET', KEYS[2], unpack(ARGV, 4))
local cooldown = redis.call('HGET', KEYS[4], ARGV[1])
if cooldown and cjson.decode(cooldown).reason == 'credential' then
  redis.call('HDEL', KEYS[4], ARGV[1])
end
redis.call('DEL', KEYS[5])
redis.call('INCR', KEYS[3])
return 1
