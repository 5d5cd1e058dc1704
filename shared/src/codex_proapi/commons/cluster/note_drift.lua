-- Note names as seen now; a name keeps when it was seen first.
-- KEYS drift; ARGV now, most names, fields …
local now = tonumber(ARGV[1])
for i = 3, #ARGV do
  local kept = redis.call('HGET', KEYS[1], ARGV[i])
  local first = kept and string.match(kept, '"first_at":(%d+)')
  if first or redis.call('HLEN', KEYS[1]) < tonumber(ARGV[2]) then
    redis.call('HSET', KEYS[1], ARGV[i],
      string.format('{"first_at":%d,"last_at":%d}', first and tonumber(first) or now, now))
  end
end
return 1
