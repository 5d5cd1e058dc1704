-- End a redemption: write its record anew, or take it away, unless it is another one's or done.
-- KEYS reset-redemptions of an account
-- ARGV id of the reset, id of the request, record to write or '' for none
local read, record = pcall(cjson.decode, redis.call('HGET', KEYS[1], ARGV[1]) or '')
if not read or type(record) ~= 'table' or record.request_id ~= ARGV[2] then return 0 end
if (tonumber(record.done_at) or 0) > 0 then return 0 end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 1
