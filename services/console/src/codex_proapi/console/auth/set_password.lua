-- Replaces the password's hash. KEYS: admin. ARGV: the new hash.
redis.call('HSET', KEYS[1], 'password', ARGV[1])
return 1
