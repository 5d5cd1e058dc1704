-- Ends an owner's session, or the invitation that waits. KEYS: what he has of both, then the owners.
-- ARGV: his id, to remove him as well; or nothing. Gives how many there were: of owners, if he is removed.
local ended = redis.call('DEL', KEYS[1])
if ARGV[1] then return redis.call('HDEL', KEYS[2], ARGV[1]) end
return ended
