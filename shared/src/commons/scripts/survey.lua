-- The one look at Redis before upstream: the time, what changed, whose turn it is, who is cooling.
-- KEYS accounts-version, keys-version, cursor, cooldowns, affinity
-- ARGV model, affinity lifetime or 0 for none, eligible accounts as ' id id … '
-- Gives {seconds, microseconds, accounts-version, keys-version, cursor or -1, affine account or '',
--        {account, 0 or 1 for 'this model only', JSON of its cooldown, …}}.
-- The cursor moves only if no eligible affine account is free; a conversation found is kept alive.
-- The affine account begins with '~' while it is only promised: chosen, but it has not answered yet.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local versions = redis.call('MGET', KEYS[1], KEYS[2])
local cooling, cooled = {}, {}
if redis.call('EXISTS', KEYS[4]) == 1 then
  local all = redis.call('HGETALL', KEYS[4])
  for i = 1, #all, 2 do
    local field, json = all[i], all[i + 1]
    if cjson.decode(json)['until'] <= now then
      redis.call('HDEL', KEYS[4], field)
    else
      local colon = string.find(field, ':', 1, true)
      local id = colon and string.sub(field, 1, colon - 1) or field
      if not colon or string.sub(field, colon + 1) == ARGV[1] then
        cooled[id] = true
        cooling[#cooling + 1] = id
        cooling[#cooling + 1] = colon and 1 or 0
        cooling[#cooling + 1] = json
      end
    end
  end
end
local told = ARGV[2] ~= '0' and redis.call('GET', KEYS[5]) or ''
local affine, cursor = (string.gsub(told, '^~', '')), -1
if affine ~= '' and string.find(ARGV[3], ' ' .. affine .. ' ', 1, true) and not cooled[affine] then
  redis.call('EXPIRE', KEYS[5], ARGV[2])
else
  told = ''
  cursor = redis.call('INCR', KEYS[3])
end
return {
  tonumber(time[1]), tonumber(time[2]), tonumber(versions[1] or 0), tonumber(versions[2] or 0),
  cursor, told, cooling,
}
