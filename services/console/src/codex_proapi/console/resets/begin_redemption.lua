-- Write the record of a redemption unless there is one, and give the one that is there.
-- KEYS reset-redemptions of an account
-- ARGV id of the reset, record to write, seconds to keep all of them, '1' if the record there cannot be read
if ARGV[4] == '1' then redis.call('HDEL', KEYS[1], ARGV[1]) end
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return redis.call('HGET', KEYS[1], ARGV[1])
