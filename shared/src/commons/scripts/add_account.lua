-- Keep an account under its identity: a new one, or a login again that keeps what its owner chose.
-- KEYS accounts, accounts-version, account, credential, cooldowns, faults, refresh-pause,
--      refused-grant of its refresh token (a person's word is worth another try)
-- ARGV id, sealed credential, count of fields that always change, those pairs, pairs for a new account
-- Gives {generation, 1 if the account is new}. Generations never come back after a removal.
local version = redis.call('INCR', KEYS[2])
local fresh = redis.call('SADD', KEYS[1], ARGV[1])
local before = tonumber(redis.call('HGET', KEYS[4], 'generation') or '0')
local generation = before + 1
if before == 0 then generation = version end
local always = tonumber(ARGV[3])
redis.call('HSET', KEYS[3], unpack(ARGV, 4, 3 + 2 * always))
for i = 4 + 2 * always, #ARGV, 2 do
  redis.call('HSETNX', KEYS[3], ARGV[i], ARGV[i + 1])
end
redis.call('HSET', KEYS[4], 'generation', generation, 'sealed', ARGV[2])
redis.call('DEL', KEYS[6], KEYS[7], KEYS[8])
for _, field in ipairs(redis.call('HKEYS', KEYS[5])) do
  if field == ARGV[1] or string.sub(field, 1, #ARGV[1] + 1) == ARGV[1] .. ':' then
    redis.call('HDEL', KEYS[5], field)
  end
end
return {generation, fresh}
