-- Store an API key under the digests of a secret; earlier secrets stay valid for the overlap at most.
-- KEYS keys, keys-version, key
-- ARGV JSON: id, digests, rotate (whether the key must exist and not be revoked), overlap in seconds,
--      prefix of digest keys, fields of the key as texts
-- Reads raise for a wrong type before anything is written; the version counts first, as one too many harms nobody.
local new = cjson.decode(ARGV[1])
local stored = redis.call('HMGET', KEYS[3], 'digests', 'ending', 'revoked', 'name')
redis.call('SCARD', KEYS[1])
if new.rotate and (not stored[4] or stored[3] == '1') then return 0 end
redis.call('INCR', KEYS[2])
local ours = {}
for _, digest in ipairs(new.digests) do ours[digest] = true end
local ending = {}
for before in string.gmatch((stored[1] or '') .. ' ' .. (stored[2] or ''), '%S+') do
  if not ours[before] then
    if new.overlap == 0 then
      redis.call('DEL', new.prefix .. before)
    elseif redis.call('EXISTS', new.prefix .. before) == 1 then
      redis.call('EXPIRE', new.prefix .. before, new.overlap, 'LT')
      ending[#ending + 1] = before
    end
  end
end
redis.call('SADD', KEYS[1], new.id)
redis.call('HSET', KEYS[3], 'digests', table.concat(new.digests, ' '), 'ending', table.concat(ending, ' '))
for name, value in pairs(new.fields) do redis.call('HSET', KEYS[3], name, value) end
for _, digest in ipairs(new.digests) do redis.call('SET', new.prefix .. digest, new.id) end
return 1
