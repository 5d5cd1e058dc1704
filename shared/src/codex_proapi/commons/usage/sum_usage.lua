-- Add up counters of subjects over many days.
-- KEYS one of the counters' keys, for the slot: the names of the hashes are made of the arguments
-- ARGV 'models' where fields are `model counter`, else 'one'; what is before and after the day in a hash's name;
--      how many counters there are, their names; how many days, the days; then the subjects
-- Gives the names of hashes that are none, and for each subject its counters packed, '' if it has none; of
-- models {model, packed, …}.
-- include packed_usage.lua
local names, days = {}, {}
local first = 5 + ARGV[4]
for i = 5, first - 1 do names[#names + 1] = ARGV[i] end
for i = first + 1, first + ARGV[first] do days[#days + 1] = ARGV[i] end
local odd, found = {}, {}

local function sum_of(subject)
  local counts
  for _, day in ipairs(days) do
    local key = ARGV[2] .. day .. ARGV[3] .. subject
    local values = redis.pcall('HMGET', key, unpack(names))
    if values.err then
      odd[#odd + 1] = key
    else
      for i = 1, #names do
        if values[i] then
          counts = counts or {}
          counts[i] = (counts[i] or 0) + (tonumber(values[i]) or 0)
        end
      end
    end
  end
  if not counts then return '' end
  for i = 1, #names do counts[i] = count_of(counts[i]) end
  return table.concat(counts, ' ')
end

local function sum_of_models(subject)
  local sums, flat = {}, {}
  for _, day in ipairs(days) do
    local key = ARGV[2] .. day .. ARGV[3] .. subject
    local read, models = pcall(packed_models, key, names)
    if not read then odd[#odd + 1] = key end
    for model, text in pairs(read and models or {}) do
      sums[model] = sum_packed(sums[model], text)
    end
  end
  for model, text in pairs(sums) do flat[#flat + 1], flat[#flat + 2] = model, text end
  return flat
end

for i = first + ARGV[first] + 1, #ARGV do
  found[#found + 1] = (ARGV[1] == 'one' and sum_of or sum_of_models)(ARGV[i])
end
return {odd, found}
