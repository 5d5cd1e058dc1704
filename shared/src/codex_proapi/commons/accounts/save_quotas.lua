-- Replace stored quotas, each by compare-and-set with the value that was read.
-- KEYS quotas; ARGV for each: value read ("" for none), value to write. Returns 1 or 0 for each.
-- A value of another type counts as none and is replaced.
-- Idempotent: a value that is already the one to write counts as written.
local done, stored = {}, redis.call('MGET', unpack(KEYS))
for i, key in ipairs(KEYS) do
  local before, after = ARGV[2 * i - 1], ARGV[2 * i]
  local there = stored[i] or ''
  done[i] = 0
  if there == before or there == after then
    redis.call('SET', key, after)
    done[i] = 1
  end
end
return done
