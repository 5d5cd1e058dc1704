-- End cooldowns of an account early.
-- KEYS cooldowns, faults; ARGV id, comma-separated reasons or '' for all
local ended = 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if field == ARGV[1] or string.sub(field, 1, #ARGV[1] + 1) == ARGV[1] .. ':' then
    local reason = cjson.decode(redis.call('HGET', KEYS[1], field)).reason
    if ARGV[2] == '' or string.find(',' .. ARGV[2] .. ',', ',' .. reason .. ',', 1, true) then
      ended = ended + redis.call('HDEL', KEYS[1], field)
    end
  end
end
redis.call('DEL', KEYS[2])
return ended
