-- Bring the log set aside back, followed by what came since, under the same ids; whole or not at all.
-- KEYS logs, cleared-logs
-- Gives 0 if nothing is set aside, or if what came since is not after it: somebody began the log anew.
if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end

local function last_of(key)
  if redis.call('EXISTS', key) == 0 then return '0-0' end
  local about = redis.call('XINFO', 'STREAM', key)
  for i = 1, #about, 2 do
    if about[i] == 'last-generated-id' then return about[i + 1] end
  end
end

-- An id as text that sorts: a number of Lua is too small for its halves.
local function order(id)
  local time, number = string.match(id, '^(%d+)-(%d+)$')
  return string.rep('0', 20 - #time) .. time .. string.rep('0', 20 - #number) .. number
end

local last, cleared = last_of(KEYS[1]), last_of(KEYS[2])
-- A row too long for a script is found out here: giving the words of a command asks for as much room.
local adds = {}
for i, row in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
  if order(row[1]) <= order(cleared) then return 0 end
  adds[i] = {'XADD', KEYS[2], row[1], unpack(row[2])}
  select('#', unpack(adds[i]))
end

-- All is decided; from here on nothing can fail but the first write, for want of room.
for _, add in ipairs(adds) do redis.call(unpack(add)) end
if order(last) > order(cleared) then redis.call('XSETID', KEYS[2], last) end
redis.call('PERSIST', KEYS[2])
redis.call('RENAME', KEYS[2], KEYS[1])
return 1
