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
local count = redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[1])
local beyond = count - tonumber(ARGV[4])
if beyond < 0 then return '' end
local seconds = math.min(tonumber(ARGV[5]) * 2 ^ math.min(beyond, 10), tonumber(ARGV[6]))
if ends < now + seconds then
  local cooldown = {['until'] = now + seconds, reason = 'transient', since = now, code = ARGV[7]}
  redis.call('INCR', KEYS[3])
  redis.call('HSET', KEYS[2], ARGV[2], cjson.encode(cooldown))
end
return string.format('%.3f', seconds)
