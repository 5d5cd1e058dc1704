-- Rename an owner, unless he was removed meanwhile.
-- KEYS: owners. ARGV: owner, his record.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
