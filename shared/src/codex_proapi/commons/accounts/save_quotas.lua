-- Replace what is known of quotas, each only if nobody else has written since it was read.
-- KEYS quotas; ARGV for each: what was read ("" for nothing), what to write. Gives 1 or 0 for each.
-- A value of another type counts as nothing and gives way.
-- Repeated, it finds its own writing: that counts as written.
local done, held = {}, redis.call('MGET', unpack(KEYS))
for i, key in ipairs(KEYS) do
  local before, after = ARGV[2 * i - 1], ARGV[2 * i]
  local there = held[i] or ''
  done[i] = 0
  if there == before or there == after then
    redis.call('SET', key, after)
    done[i] = 1
  end
end
return done
