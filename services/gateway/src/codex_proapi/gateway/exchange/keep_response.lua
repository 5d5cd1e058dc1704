-- Keep a response and let the oldest of its key go.
-- KEYS responses of the key, response, pointers of its items
-- ARGV response id, sealed items, time, seconds, most responses, prefix of response keys
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[4])
for i = 3, #KEYS do redis.call('SET', KEYS[i], ARGV[1], 'EX', ARGV[4]) end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', tonumber(ARGV[3]) - tonumber(ARGV[4]))
for _, old in ipairs(redis.call('ZRANGE', KEYS[1], 0, -tonumber(ARGV[5]) - 1)) do
  redis.call('DEL', ARGV[6] .. old)
  redis.call('ZREM', KEYS[1], old)
end
return 1
