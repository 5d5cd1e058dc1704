-- An answer of an account: no faults in a row, no probe under way, and no cooldown that an answer disproves.
-- KEYS cooldowns, faults, cooldowns-version, probe
-- ARGV account, comma-separated reasons that an answer disproves, when its attempt began
-- An attempt that began before such a cooldown says nothing about it, and changes nothing. Returns 1, or 0 then.
-- Reads raise for a wrong type before anything is written; the version counts first, as one too many harms nobody.
local read, cooldown = pcall(cjson.decode, redis.call('HGET', KEYS[1], ARGV[1]) or '')
local known = read and type(cooldown) == 'table'
local reason = known and type(cooldown.reason) == 'string' and cooldown.reason
local disproved = reason and string.find(',' .. ARGV[2] .. ',', ',' .. reason .. ',', 1, true)
if disproved then
  if (tonumber(cooldown.since) or 0) > tonumber(ARGV[3]) then return 0 end
  redis.call('INCR', KEYS[3])
  redis.call('HDEL', KEYS[1], ARGV[1])
end
redis.call('DEL', KEYS[2], KEYS[4])
return 1
