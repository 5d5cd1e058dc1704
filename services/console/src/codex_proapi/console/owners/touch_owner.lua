-- Write down that an owner's session is used, unless it has ended meanwhile.
-- KEYS: his access. ARGV: the session's digest, now, seconds it lasts unused.
if redis.call('HGET', KEYS[1], 'session') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'session_seen', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
