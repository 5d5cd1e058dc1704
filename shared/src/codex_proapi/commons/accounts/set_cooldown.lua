-- Cool an account. Another reason that lasts longer stays; the same reason is replaced.
-- KEYS cooldowns, cooldowns-version; ARGV field, JSON of the cooldown
-- An entry that cannot be read (a newer version wrote it) is replaced.
local new = cjson.decode(ARGV[2])
local before = redis.call('HGET', KEYS[1], ARGV[1])
if before then
  local read, old = pcall(cjson.decode, before)
  local ends = read and type(old) == 'table' and tonumber(old['until'])
  if ends and old.reason ~= new.reason and ends > new['until'] then return 0 end
end
redis.call('INCR', KEYS[2])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
