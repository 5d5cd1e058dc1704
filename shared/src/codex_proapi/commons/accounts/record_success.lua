-- Answers of accounts: no faults in a row, no probe under way, and no cooldown that an answer disproves.
-- KEYS cooldowns, cooldowns-version, then faults and probe of each account
-- ARGV comma-separated reasons that an answer disproves, then of each account its id and when its attempt began
-- An attempt that began before such a cooldown says nothing about it, and changes nothing. Returns of each
-- account 1, or 0 then.
-- Reads raise for a wrong type before anything is written; the version counts first, as one too many harms nobody.
local succeeded = {}

local function record(account, begun_at, faults, probe)
  local read, cooldown = pcall(cjson.decode, redis.call('HGET', KEYS[1], account) or '')
  local known = read and type(cooldown) == 'table'
  local reason = known and type(cooldown.reason) == 'string' and cooldown.reason
  local disproved = reason and string.find(',' .. ARGV[1] .. ',', ',' .. reason .. ',', 1, true)
  if disproved then
    if (tonumber(cooldown.since) or 0) > begun_at then return 0 end
    redis.call('INCR', KEYS[2])
    redis.call('HDEL', KEYS[1], account)
  end
  redis.call('DEL', faults, probe)
  return 1
end

for i = 2, #ARGV, 2 do
  succeeded[#succeeded + 1] = record(ARGV[i], tonumber(ARGV[i + 1]), KEYS[i + 1], KEYS[i + 2])
end
return succeeded
