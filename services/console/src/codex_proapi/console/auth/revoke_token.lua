-- Takes admin tokens back. KEYS: the set of tokens, then the tokens. ARGV: their digests.
-- Gives how many there were.
local revoked = 0
for number = 2, #KEYS do
  revoked = revoked + redis.call('DEL', KEYS[number])
  redis.call('SREM', KEYS[1], ARGV[number - 1])
end
return revoked
