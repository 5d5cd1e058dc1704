-- Replace stored quotas, each by compare-and-set with the value that was read.
-- KEYS quota-changes, quotas, then the hash of each account
-- ARGV for each: value read ("" for none), value to write, account id. Returns 1 or 0 for each.
-- A value of another type counts as none and is replaced.
-- Idempotent: a value that is already the one to write counts as written.
-- Of an account whose owner keeps a share the change is noted, with a score that grows also where the set
-- was lost: replicas read what has changed since the last one they have seen.
local count = (#KEYS - 1) / 2
local quotas = {}
for i = 1, count do quotas[i] = KEYS[1 + i] end
local done, stored = {}, redis.call('MGET', unpack(quotas))

local function keeps_share(account)
  local terms = redis.pcall('HGET', account, 'terms')
  return type(terms) == 'string' and string.find(terms, '"reserved_percent"', 1, true) ~= nil
end

local function note(id)
  local time = redis.call('TIME')
  local last = redis.pcall('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  local score = tonumber(time[1]) * 1000000 + tonumber(time[2])
  score = math.max(score, (tonumber(last[2]) or 0) + 1)
  redis.pcall('ZADD', KEYS[1], string.format('%.0f', score), id) -- the next snapshot replaces another type
end

for i, key in ipairs(quotas) do
  local before, after, id = ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i]
  local there = stored[i] or ''
  done[i] = 0
  if there == before or there == after then
    redis.call('SET', key, after)
    if there ~= after and keeps_share(KEYS[1 + count + i]) then note(id) end
    done[i] = 1
  end
end
return done
