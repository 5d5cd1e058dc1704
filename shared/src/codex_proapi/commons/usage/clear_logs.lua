-- Rename the log, which expires then. The new, empty log keeps the last id, so that ids only grow.
-- KEYS logs, cleared-logs; ARGV seconds
local count = redis.call('XLEN', KEYS[1])
if count == 0 then return 0 end
local last
local about = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #about, 2 do
  if about[i] == 'last-generated-id' then last = about[i + 1] end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('RENAME', KEYS[1], KEYS[2])
redis.call('XADD', KEYS[1], 'MAXLEN', 0, last, 'entry', '')
return count
