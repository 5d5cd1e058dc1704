-- Ends sessions, of all or of some browsers.
-- KEYS: the set of sessions, admin, then the sessions.
-- ARGV: the field of admin that counts how often all were ended, or nothing; then the sessions' ids.
-- Gives how many there were.
local ended = 0
for number = 3, #KEYS do
  ended = ended + redis.call('DEL', KEYS[number])
end
if ARGV[1] ~= '' then
  redis.call('DEL', KEYS[1])
  redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
  return ended
end
for number = 2, #ARGV do
  redis.call('ZREM', KEYS[1], ARGV[number])
end
return ended
