-- Change fields of an API key, if it is there.
-- KEYS key, keys-version; ARGV pairs
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if #ARGV > 0 then
  redis.call('HSET', KEYS[1], unpack(ARGV))
  redis.call('INCR', KEYS[2])
end
return 1
