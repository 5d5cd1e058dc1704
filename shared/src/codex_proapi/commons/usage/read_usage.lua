-- Read counters of many hashes at once.
-- KEYS hashes
-- ARGV 'models' where their fields are `model counter`, else 'one'; names of the counters
-- Gives for each hash its counters packed, '' if it has none, '!' if it is none; of models {model, packed, …}.
-- include packed_usage.lua
local names, found = {}, {}
for i = 2, #ARGV do names[#names + 1] = ARGV[i] end

for i, key in ipairs(KEYS) do
  if ARGV[1] == 'one' then
    local read, text = pcall(packed, key, names)
    found[i] = read and (text or '') or '!'
  else
    local read, models = pcall(packed_models, key, names)
    local flat = {}
    for model, text in pairs(read and models or {}) do
      flat[#flat + 1], flat[#flat + 2] = model, text
    end
    found[i] = read and flat or '!'
  end
end
return found
