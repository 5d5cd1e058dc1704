-- Count a transient fault of an account, and open its circuit breaker at the limit.
-- KEYS faults, cooldowns, cooldowns-version
-- ARGV seconds the counter is kept, account, now, faults that open it, seconds of the first opening,
--      most seconds, code
-- Returns the seconds it opens for, as text, or ''. Counting and opening are atomic: faults that replicas
-- see at the same time open it once, and a fault while it is open (of attempts under way, or of the last
-- account) neither counts nor extends it.
local now = tonumber(ARGV[3])
local before = redis.call('HGET', KEYS[2], ARGV[2])
-- A cooldown that cannot be read (a newer version wrote it) has no end and is replaced, as in `set_cooldown`.
local read, open = pcall(cjson.decode, before or '')
local ends = read and type(open) == 'table' and tonumber(open['until']) or 0
if ends > now and open.reason == 'transient' then return '' end
-- Reads raise for a wrong type before anything is written; the version counts first, as one too many harms nobody.
local beyond = (redis.call('GET', KEYS[1]) or 0) + 1 - tonumber(ARGV[4])
local seconds = math.min(tonumber(ARGV[5]) * 2 ^ math.min(beyond, 10), tonumber(ARGV[6]))
local opens = beyond >= 0 and ends < now + seconds
if opens then redis.call('INCR', KEYS[3]) end
redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[1])
if opens then
  local cooldown = {['until'] = now + seconds, reason = 'transient', since = now, code = ARGV[7]}
  redis.call('HSET', KEYS[2], ARGV[2], cjson.encode(cooldown))
end
return beyond >= 0 and string.format('%.3f', seconds) or ''
