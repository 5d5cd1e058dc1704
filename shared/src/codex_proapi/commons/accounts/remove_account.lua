-- Forget an account and all that is kept about it, except its usage.
-- KEYS accounts, accounts-version, cooldowns, quota-changes, then every key of the account
-- ARGV id
-- Reads raise for a wrong type before anything is written; the version counts first, as one too many harms nobody.
local known = redis.call('SISMEMBER', KEYS[1], ARGV[1])
local cooling = redis.call('HKEYS', KEYS[3])
if known == 1 then redis.call('INCR', KEYS[2]) end
redis.call('SREM', KEYS[1], ARGV[1])
redis.call('DEL', unpack(KEYS, 5))
redis.pcall('ZREM', KEYS[4], ARGV[1])
for _, field in ipairs(cooling) do
  if field == ARGV[1] or string.sub(field, 1, #ARGV[1] + 1) == ARGV[1] .. ':' then
    redis.call('HDEL', KEYS[3], field)
  end
end
return known
