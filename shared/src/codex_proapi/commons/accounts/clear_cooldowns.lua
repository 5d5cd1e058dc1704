-- End cooldowns of an account early.
-- KEYS cooldowns, faults, cooldowns-version
-- ARGV id, comma-separated reasons or '' for all, latest begin of those that end or ''
-- A cooldown that cannot be read has no reason: it ends only with all, and is no error.
local function ends(field)
  if ARGV[2] == '' then return true end
  local read, cooldown = pcall(cjson.decode, redis.call('HGET', KEYS[1], field))
  local reason = read and type(cooldown) == 'table' and cooldown.reason
  if ARGV[3] ~= '' and (tonumber(read and type(cooldown) == 'table' and cooldown.since) or 0) > tonumber(ARGV[3]) then
    return false
  end
  return type(reason) == 'string'
    and string.find(',' .. ARGV[2] .. ',', ',' .. reason .. ',', 1, true) ~= nil
end

local ended = {}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if field == ARGV[1] or string.sub(field, 1, #ARGV[1] + 1) == ARGV[1] .. ':' then
    if ends(field) then ended[#ended + 1] = field end
  end
end
if #ended > 0 then redis.call('INCR', KEYS[3]) end
for _, field in ipairs(ended) do redis.call('HDEL', KEYS[1], field) end
redis.call('DEL', KEYS[2])
return #ended
