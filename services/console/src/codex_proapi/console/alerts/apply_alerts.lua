-- Change alerts and queue what is told of them, all or nothing.
-- KEYS alerts, deliveries; ARGV number of changes, most deliveries, then for each change its field, the
-- value before and the value after ('' is none), then for each delivery its field and value.
-- Returns -1 where another console was first, else how many deliveries found no room.
local count, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local last = 2 + 3 * count
for i = 3, last, 3 do
  if (redis.call('HGET', KEYS[1], ARGV[i]) or '') ~= ARGV[i + 1] then return -1 end
end
for i = 3, last, 3 do
  if ARGV[i + 2] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  end
end
local room = most - redis.call('HLEN', KEYS[2])
local dropped = 0
for i = last + 1, #ARGV, 2 do
  if room > 0 then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
    room = room - 1
  else
    dropped = dropped + 1
  end
end
return dropped
