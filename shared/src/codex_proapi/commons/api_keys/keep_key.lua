-- Keep an API key under the digest of its secret; secrets before live on for the overlap at most.
-- KEYS keys, keys-version, key, key-digest; ARGV id, digest, overlap, prefix of digest keys, pairs
local held = redis.call('HMGET', KEYS[3], 'digests', 'ending')
local ending = {}
for before in string.gmatch((held[1] or '') .. ' ' .. (held[2] or ''), '%S+') do
  if before ~= ARGV[2] then
    if tonumber(ARGV[3]) == 0 then
      redis.call('DEL', ARGV[4] .. before)
    elseif redis.call('EXISTS', ARGV[4] .. before) == 1 then
      redis.call('EXPIRE', ARGV[4] .. before, ARGV[3], 'LT')
      ending[#ending + 1] = before
    end
  end
end
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[3], 'digests', ARGV[2], 'ending', table.concat(ending, ' '), unpack(ARGV, 5))
redis.call('SET', KEYS[4], ARGV[1])
return redis.call('INCR', KEYS[2])
