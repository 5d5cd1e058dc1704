-- Put a staged restore in place of what was there, as one step: all of it, or nothing.
-- KEYS restore; ARGV id of the restore, prefix of every key, key of the plan, prefix of the staged keys
-- The plan is a hash: the name of a key, and what becomes of it: "-" it is removed, "+N" its counter is
-- raised by N, else its staged value takes the place, to live for so many milliseconds (0 for ever).
-- Returns done, absent (nothing is under way), other (another restore is), or gone (a part has expired).
local mine = redis.call('GET', KEYS[1])
if not mine then return 'absent' end
if mine ~= ARGV[1] then return 'other' end
local plan = redis.call('HGETALL', ARGV[3])
local counters, removed, placed = {}, {}, {}
for i = 1, #plan, 2 do
  local name, fate = plan[i], plan[i + 1]
  local first = string.sub(fate, 1, 1)
  if first == '+' then counters[name] = string.sub(fate, 2)
  elseif first == '-' then removed[#removed + 1] = name
  elseif redis.call('EXISTS', ARGV[4] .. name) == 0 then return 'gone'
  else placed[name] = fate end
end

-- The first writes are the only ones that a full Redis refuses; by then nothing has changed.
for name, by in pairs(counters) do redis.call('INCRBY', ARGV[2] .. name, by) end
for _, name in ipairs(removed) do redis.call('UNLINK', ARGV[2] .. name) end
for name, life in pairs(placed) do
  redis.call('RENAME', ARGV[4] .. name, ARGV[2] .. name)
  if life == '0' then redis.call('PERSIST', ARGV[2] .. name) else redis.call('PEXPIRE', ARGV[2] .. name, life) end
end
redis.call('UNLINK', ARGV[3], KEYS[1])
return 'done'
