-- Move counters of an old day to the packed hashes of the day and of its month.
-- KEYS packed hash of the day, of the month, set of the day's subjects or '', then hashes of counters
-- ARGV seconds the day and the month are kept, 'models' where fields are `model counter`, else 'one',
--      how many counters there are, their names, then the subject of each hash
-- Gives how many hashes were moved, -1 if a packed hash is none. Each is added and deleted in this one step: who is killed between two
-- runs, or runs beside another, loses nothing and counts nothing twice. A hash of another type stays.
-- include packed_usage.lua
local count = tonumber(ARGV[4])
local names, moved = {}, 0
for i = 5, 4 + count do names[#names + 1] = ARGV[i] end
for n = 1, 2 do
  if type(redis.pcall('HLEN', KEYS[n])) == 'table' then return -1 end
end

local function add(field, text)
  for n = 1, 2 do
    if tonumber(ARGV[n]) > 0 then
      redis.call('HSET', KEYS[n], field, sum_packed(redis.call('HGET', KEYS[n], field), text))
    end
  end
end

for i = 4, #KEYS do
  local subject = ARGV[4 + count + i - 3]
  local read, found = pcall(ARGV[3] == 'one' and packed or packed_models, KEYS[i], names)
  if read then
    if ARGV[3] == 'models' then
      for model, text in pairs(found) do add(subject .. ' ' .. model, text) end
    elseif found then
      add(subject, found)
    end
    moved = moved + redis.call('UNLINK', KEYS[i])
    if KEYS[3] ~= '' then redis.call('SREM', KEYS[3], subject) end
  end
end
for n = 1, 2 do
  if tonumber(ARGV[n]) > 0 then redis.call('EXPIRE', KEYS[n], ARGV[n]) end
end
return moved
