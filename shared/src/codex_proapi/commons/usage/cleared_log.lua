-- What clearing a log and undoing it have in common.

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

-- The commands that append a stream's entries to another one under their ids; nil where those are not higher.
local function appending(source, target)
  local last, adds = order(last_of(target)), {}
  for i, row in ipairs(redis.call('XRANGE', source, '-', '+')) do
    if order(row[1]) <= last then return nil end
    adds[i] = {'XADD', target, row[1], unpack(row[2])}
    -- An entry too long for a script fails here: unpacking its fields needs as much stack as writing them.
    select('#', unpack(adds[i]))
  end
  return adds
end
