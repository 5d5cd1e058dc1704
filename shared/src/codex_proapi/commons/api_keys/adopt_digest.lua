-- Store another digest of the same secret for an API key, as encryption keys rotate.
-- KEYS key, key-digest found, key-digest to add; ARGV id, digest to add
-- A rotated secret that is valid for its overlap expires at the same time as its other digest.
if redis.call('HLEN', KEYS[1]) == 0 or redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
-- In its last millisecond PTTL is 0: the secret has expired, and must not be stored without expiry.
local left = redis.call('PTTL', KEYS[2])
if left == 0 then return 0 end
if left > 0 then redis.call('SET', KEYS[3], ARGV[1], 'PX', left) else redis.call('SET', KEYS[3], ARGV[1]) end
local field = left < 0 and 'digests' or 'ending'
local digests = redis.call('HGET', KEYS[1], field) or ''
if not string.find(digests, ARGV[2], 1, true) then
  redis.call('HSET', KEYS[1], field, digests .. ' ' .. ARGV[2])
end
return 1
