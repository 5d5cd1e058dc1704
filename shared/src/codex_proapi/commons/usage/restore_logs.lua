-- Restore the cleared log, followed by later entries, under the same ids; atomic.
-- KEYS logs, cleared-logs
-- Returns 0 if there is no cleared log, or if later entries have lower ids (the log was deleted meanwhile).
if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end

local function last_of(key)
  if redis.call('EXISTS', key) == 0 then return '0-0' end
  local about = redis.call('XINFO', 'STREAM', key)
  for i = 1, #about, 2 do
    if about[i] == 'last-generated-id' then return about[i + 1] end
  end
end

-- An id as sortable text: Lua's numbers are too small for its two parts.
local function order(id)
  local time, number = string.match(id, '^(%d+)-(%d+)$')
  return string.rep('0', 20 - #time) .. time .. string.rep('0', 20 - #number) .. number
end

local last, cleared = last_of(KEYS[1]), last_of(KEYS[2])
-- An entry too long for a script fails here: unpacking its fields needs as much stack as writing them.
local adds = {}
for i, row in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
  if order(row[1]) <= order(cleared) then return 0 end
  adds[i] = {'XADD', KEYS[2], row[1], unpack(row[2])}
  select('#', unpack(adds[i]))
end

-- From here on only the first write can fail, for lack of memory.
for _, add in ipairs(adds) do redis.call(unpack(add)) end
if order(last) > order(cleared) then redis.call('XSETID', KEYS[2], last) end
redis.call('PERSIST', KEYS[2])
redis.call('RENAME', KEYS[2], KEYS[1])
return 1
