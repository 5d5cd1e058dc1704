-- Make an owner's invitation; it replaces an earlier one and ends his session.
-- KEYS: owners, his access. ARGV: owner, digest, when it ends, seconds until then.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'invite', ARGV[2], 'invite_ends', ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[4])
return 1
