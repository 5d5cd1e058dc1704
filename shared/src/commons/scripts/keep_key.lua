-- Keep an API key under the digest of its secret; secrets before live on for the overlap.
-- KEYS keys, keys-version, key, key-digest; ARGV id, digest, overlap, prefix of digest keys, pairs
for before in string.gmatch(redis.call('HGET', KEYS[3], 'digests') or '', '%S+') do
  if before ~= ARGV[2] then
    if tonumber(ARGV[3]) > 0 then
      redis.call('EXPIRE', ARGV[4] .. before, ARGV[3])
    else
      redis.call('DEL', ARGV[4] .. before)
    end
  end
end
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[3], 'digests', ARGV[2], unpack(ARGV, 5))
redis.call('SET', KEYS[4], ARGV[1])
return redis.call('INCR', KEYS[2])
