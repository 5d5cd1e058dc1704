-- The places of those of the KEYS that exist, from 0.
local found = {}
for i, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then found[#found + 1] = i - 1 end
end
return found
