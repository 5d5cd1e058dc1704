-- Forget an account and all that is kept about it, except its usage.
-- KEYS accounts, accounts-version, cooldowns, then every key of the account
-- ARGV id
local known = redis.call('SREM', KEYS[1], ARGV[1])
redis.call('DEL', unpack(KEYS, 4))
for _, field in ipairs(redis.call('HKEYS', KEYS[3])) do
  if field == ARGV[1] or string.sub(field, 1, #ARGV[1] + 1) == ARGV[1] .. ':' then
    redis.call('HDEL', KEYS[3], field)
  end
end
if known == 1 then redis.call('INCR', KEYS[2]) end
return known
