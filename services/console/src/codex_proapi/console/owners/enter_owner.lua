-- Open an owner's invitation: it is used up, and his session begins.
-- KEYS: owners, his access. ARGV: owner, the invitation's digest, the session's, now, seconds it
-- lasts unused, browser. The same call again finds the session it has made.
local kept = redis.call('HMGET', KEYS[2], 'invite', 'invite_ends', 'session')
if kept[3] == ARGV[3] then
  return 1
end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 or kept[1] ~= ARGV[2] then
  return 0
end
if (tonumber(kept[2]) or 0) <= tonumber(ARGV[4]) then
  return 0
end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'session', ARGV[3], 'session_began', ARGV[4], 'session_seen', ARGV[4], 'agent', ARGV[6])
redis.call('EXPIRE', KEYS[2], ARGV[5])
return 1
