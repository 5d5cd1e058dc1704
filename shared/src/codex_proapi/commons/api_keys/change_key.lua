-- Change fields of an API key, if it is there.
-- KEYS key, keys-version; ARGV pairs
-- Reads raise for a wrong type before anything is written; the version counts first, as one too many harms nobody.
if redis.call('HLEN', KEYS[1]) == 0 then return 0 end
if #ARGV > 0 then
  redis.call('INCR', KEYS[2])
  redis.call('HSET', KEYS[1], unpack(ARGV))
end
return 1
