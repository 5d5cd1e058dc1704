-- Cool an account. Another reason that lasts longer stays; the same reason is replaced.
-- KEYS cooldowns; ARGV field, JSON of the cooldown
local new = cjson.decode(ARGV[2])
local before = redis.call('HGET', KEYS[1], ARGV[1])
if before then
  local old = cjson.decode(before)
  if old.reason ~= new.reason and old['until'] > new['until'] then return 0 end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
