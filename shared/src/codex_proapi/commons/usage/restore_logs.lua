-- Restore the cleared log, followed by later entries, under the same ids; atomic.
-- KEYS logs, cleared-logs
-- Returns 0 if there is no cleared log, or if later entries have lower ids (the log was deleted meanwhile).
-- include codex_proapi.commons.usage/cleared_log.lua
if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
local last, cleared = last_of(KEYS[1]), last_of(KEYS[2])
local adds = appending(KEYS[1], KEYS[2])
if not adds then return 0 end

-- From here on only the first write can fail, for lack of memory.
for _, add in ipairs(adds) do redis.call(unpack(add)) end
if order(last) > order(cleared) then redis.call('XSETID', KEYS[2], last) end
redis.call('PERSIST', KEYS[2])
redis.call('RENAME', KEYS[2], KEYS[1])
return 1
