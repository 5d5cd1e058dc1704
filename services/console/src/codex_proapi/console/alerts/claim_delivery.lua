-- Take a delivery for one try: its next one is set before, so that who fails now is not tried at once.
-- KEYS deliveries; ARGV field, value before, value after. Returns 1 if nobody else has taken it.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
