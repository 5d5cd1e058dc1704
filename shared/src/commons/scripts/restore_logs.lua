-- Bring the log set aside back, followed by what came since, under the same ids.
-- KEYS logs, cleared-logs
if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
for _, row in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
  redis.call('XADD', KEYS[2], row[1], unpack(row[2]))
end
redis.call('PERSIST', KEYS[2])
redis.call('RENAME', KEYS[2], KEYS[1])
return 1
