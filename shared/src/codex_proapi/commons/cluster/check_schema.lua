-- Check whether a process may run on the stored data; the first one writes the version, a newer one raises it.
-- KEYS schema; ARGV version of the process, least version that may run beside it
-- Returns {1 or 0, the least version}; a version that cannot be read counts as newer.
local stored = redis.call('HMGET', KEYS[1], 'version', 'least')
local own, least = tonumber(ARGV[1]), tonumber(ARGV[2])
local version, needed = tonumber(stored[1] or '0'), tonumber(stored[2] or '0')
if not version or not needed then return {0, stored[2] or '?'} end
if needed > own then return {0, stored[2]} end
if version < own then redis.call('HSET', KEYS[1], 'version', own, 'least', math.max(least, needed)) end
return {1, tostring(math.max(least, needed))}
