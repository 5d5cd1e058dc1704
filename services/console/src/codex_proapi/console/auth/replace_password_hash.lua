-- Puts a new hash in the place of the one that was verified; nothing if another has come meanwhile.
-- KEYS: admin. ARGV: the old hash, the new one. Gives 1 if it was replaced.
if redis.call('HGET', KEYS[1], 'password') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'password', ARGV[2])
return 1
