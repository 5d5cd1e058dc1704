-- Forget an API key and every digest that finds it.
-- KEYS keys, keys-version, key; ARGV id, prefix of digest keys
-- Reads raise for a wrong type before anything is written; the version counts first, as one too many harms nobody.
local known = redis.call('SISMEMBER', KEYS[1], ARGV[1])
local stored = redis.call('HMGET', KEYS[3], 'digests', 'ending')
if known == 1 then redis.call('INCR', KEYS[2]) end
for digest in string.gmatch((stored[1] or '') .. ' ' .. (stored[2] or ''), '%S+') do
  redis.call('DEL', ARGV[2] .. digest)
end
redis.call('DEL', KEYS[3])
redis.call('SREM', KEYS[1], ARGV[1])
return known
