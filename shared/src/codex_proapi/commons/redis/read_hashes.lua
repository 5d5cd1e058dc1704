-- Read many hashes at once, for much less than a command each.
-- KEYS hashes
-- ARGV a field, or nothing for all of them
-- Gives for each hash its fields {name, value, …}, or the field's value; '!' where a key is no hash.
local found = {}
for i, key in ipairs(KEYS) do
  local read = ARGV[1] and redis.pcall('HMGET', key, ARGV[1]) or redis.pcall('HGETALL', key)
  if not read.err then
    found[i] = read
  elseif string.find(read.err, 'WRONGTYPE', 1, true) then
    found[i] = '!'
  else
    return read
  end
end
return found
