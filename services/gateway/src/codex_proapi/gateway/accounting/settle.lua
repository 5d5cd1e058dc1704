-- Count settled exchanges, each request id once, and append their log entries.
-- KEYS logs
-- ARGV seconds ids are remembered, length of the log, names of counters as JSON,
--      then the JSON of each exchange:
--      settled (set), id, entry, at, sums {{hash, seconds, prefix}, …}, counts (in order of names),
--      subjects {{set, seconds, subject}, …}, key (hash, or ''), attempts {{account hash, error or ''}, …},
--      drawn (null, or streams, place, minute, at, more: what it held of its key's limits, and how
--      many tokens it used beyond its estimate), fair_share (null, or shares, key, more: how much more it
--      cost than was charged, by weight)
-- What a batch has in common is gathered first: ten exchanges of one key cost one HINCRBY for each
-- of its counters.
local names = cjson.decode(ARGV[3])
local sums, subjects, notes, lives, counted = {}, {}, {}, {}, 0

local function at(table, name)
  table[name] = table[name] or {}
  return table[name]
end

local function sum(target, counts)
  local hash, prefix = target[1], target[3]
  local fields = at(sums, hash)
  lives[hash] = target[2]
  for i, name in ipairs(names) do
    if counts[i] ~= 0 then fields[prefix .. name] = (fields[prefix .. name] or 0) + counts[i] end
  end
end

-- The estimate's second is corrected while it counts; later what was used beyond it counts anew.
local function correct(drawn, key)
  redis.call('ZREM', drawn.streams, drawn.place)
  if drawn.more == 0 then return end
  local second, time = drawn.at, redis.call('TIME')
  if time[1] - second > 60 or redis.call('HEXISTS', drawn.minute, second) == 0 then
    local limits = redis.call('HGET', key, 'limits')
    local tpm = limits and cjson.decode(limits).tpm or 0
    if drawn.more < 0 or tpm == 0 then return end
    second = tonumber(time[1])
    redis.call('HSET', drawn.minute, second .. '+', time[1] + time[2] / 1000000)
  end
  redis.call('HINCRBY', drawn.minute, second, string.format('%.0f', drawn.more))
  redis.call('EXPIRE', drawn.minute, 120)
end

-- A share that has ended with its key's silence stays ended.
local function even(share)
  local had, rest = string.match(redis.call('HGET', share.shares, share.key) or '', '^(%S+) (.*)$')
  if had then
    local spent = math.max(0, tonumber(had) + share.more)
    redis.call('HSET', share.shares, share.key, string.format('%.3f %s', spent, rest))
  end
end

for i = 4, #ARGV do
  local exchange = cjson.decode(ARGV[i])
  if redis.call('SADD', exchange.settled, exchange.id) == 1 then
    counted = counted + 1
    lives[exchange.settled] = ARGV[1]
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'entry', exchange.entry)
    for _, target in ipairs(exchange.sums) do sum(target, exchange.counts) end
    for _, subject in ipairs(exchange.subjects) do
      at(subjects, subject[1])[subject[3]] = true
      lives[subject[1]] = subject[2]
    end
    if exchange.drawn ~= cjson.null then correct(exchange.drawn, exchange.key) end
    if exchange.fair_share ~= cjson.null then even(exchange.fair_share) end
    if exchange.key ~= '' then at(notes, exchange.key).last_used_at = exchange.at end
    for _, attempt in ipairs(exchange.attempts) do
      local note = at(notes, attempt[1])
      note.last_error = attempt[2]
      note[attempt[2] == '' and 'last_used_at' or 'last_error_at'] = exchange.at
    end
  end
end

for hash, fields in pairs(sums) do
  for field, count in pairs(fields) do
    redis.call('HINCRBY', hash, field, string.format('%.0f', count))
  end
end
for set, members in pairs(subjects) do
  for member in pairs(members) do redis.call('SADD', set, member) end
end
for hash, fields in pairs(notes) do
  if redis.call('EXISTS', hash) == 1 then
    for field, value in pairs(fields) do redis.call('HSET', hash, field, value) end
  end
end
for key, seconds in pairs(lives) do redis.call('EXPIRE', key, seconds) end
return counted
