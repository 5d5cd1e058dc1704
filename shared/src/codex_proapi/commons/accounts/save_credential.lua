-- Save a refreshed credential if nobody saved another one meanwhile (compare-and-set).
-- KEYS credential, account, accounts-version, cooldowns, refresh-pause
-- ARGV account id, expected generation, sealed credential, digest of its refresh token,
--      field/value pairs of the account
-- Digests of the last spent refresh tokens are stored, so that none of them is accepted again.
local stored = redis.call('HMGET', KEYS[1], 'generation', 'token', 'spent')
if stored[1] ~= ARGV[2] then return 0 end
-- Reads raise for a wrong type before anything is written; the version counts first, as one too many harms nobody.
local read, cooldown = pcall(cjson.decode, redis.call('HGET', KEYS[4], ARGV[1]) or '')
local ends = read and type(cooldown) == 'table' and cooldown.reason == 'credential'
local state = redis.call('HGET', KEYS[2], 'state')
redis.call('INCR', KEYS[3])
local fields = {'generation', tonumber(ARGV[2]) + 1, 'sealed', ARGV[3], 'token', ARGV[4]}
if stored[2] and stored[2] ~= '' and stored[2] ~= ARGV[4] then
  fields[#fields + 1] = 'spent'
  fields[#fields + 1] = string.sub(stored[2] .. ' ' .. (stored[3] or ''), 1, 1024)
end
redis.call('HSET', KEYS[1], unpack(fields))
if state == 'revoked' then
  redis.call('HSET', KEYS[2], 'state', 'active', 'state_reason', '')
end
redis.call('HSET', KEYS[2], unpack(ARGV, 5))
if ends then redis.call('HDEL', KEYS[4], ARGV[1]) end
redis.call('DEL', KEYS[5])
return 1
