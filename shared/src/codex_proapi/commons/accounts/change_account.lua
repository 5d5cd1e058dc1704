-- Change fields of an account, if it is there and (when asked) its credential and owner are still those.
-- KEYS account, credential, accounts-version
-- ARGV expected generation or '' for any, expected owner ('' is none) or '*' for any, field/value pairs
-- Reads raise for a wrong type before anything is written; the version counts first, as one too many harms nobody.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if ARGV[1] ~= '' and redis.call('HGET', KEYS[2], 'generation') ~= ARGV[1] then return 0 end
if ARGV[2] ~= '*' and (redis.call('HGET', KEYS[1], 'owner') or '') ~= ARGV[2] then return 0 end
local changed = false
for i = 3, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) ~= ARGV[i + 1] then changed = true end
end
if changed then
  redis.call('INCR', KEYS[3])
  redis.call('HSET', KEYS[1], unpack(ARGV, 3))
end
return 1
