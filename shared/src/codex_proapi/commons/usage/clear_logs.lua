-- Set all entries of the log aside, after those that were set aside before, where they expire together.
-- KEYS logs, cleared-logs; ARGV seconds
-- The empty log keeps the last id, so that ids only grow. Returns how many entries it had.
-- include codex_proapi.commons.usage/cleared_log.lua
local count = redis.call('XLEN', KEYS[1])
if count == 0 then return 0 end
local adds = redis.call('TYPE', KEYS[2]).ok == 'stream' and appending(KEYS[1], KEYS[2])
if adds then
  -- Only the first write can fail, for lack of memory.
  for _, add in ipairs(adds) do redis.call(unpack(add)) end
  redis.call('EXPIRE', KEYS[2], ARGV[1])
  redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)
  return count
end
-- There are none, or none that can be read, or they have higher ids (the log was deleted meanwhile): these take their place.
local last = last_of(KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('RENAME', KEYS[1], KEYS[2])
redis.call('XADD', KEYS[1], 'MAXLEN', 0, last, 'entry', '')
return count
