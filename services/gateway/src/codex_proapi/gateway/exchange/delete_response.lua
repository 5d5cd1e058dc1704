-- Delete a response.
-- KEYS all responses by time, sums of bytes, the key's responses by time
-- ARGV prefix of all keys, key id, response id
-- Gives 1, or 0 where it is not kept.
-- include stored_nodes.lua
redis.call('ZCARD', by_time) -- a wrong type fails before anything is written
redis.call('HLEN', sums)
if not redis.call('ZSCORE', KEYS[3], ARGV[3]) then return 0 end
drop(ARGV[2], ARGV[3])
return 1
