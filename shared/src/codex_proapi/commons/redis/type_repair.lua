-- Replace values that are not of the form of their keys.
-- KEYS any; ARGV the form of each: 'hash', 'set', 'zset', 'counter' or 'version'
-- Returns the positions of those that were replaced. All but versions are removed. A version becomes Redis'
-- time in milliseconds: no process has seen a number as high, so that each reads anew what the version counts.
local function fits(name, form)
  local type = redis.call('TYPE', name).ok
  if type == 'none' or type == form then return true end
  if type ~= 'string' or (form ~= 'counter' and form ~= 'version') then return false end
  local value = redis.call('GET', name)
  return #value < 16 and string.match(value, '^%-?%d+$') ~= nil
end

local replaced = {}
for i, name in ipairs(KEYS) do
  if not fits(name, ARGV[i]) then
    redis.call('DEL', name)
    if ARGV[i] == 'version' then
      local time = redis.call('TIME')
      redis.call('SET', name, time[1] .. string.sub(string.format('%06d', time[2]), 1, 3))
    end
    replaced[#replaced + 1] = i
  end
end
return replaced
