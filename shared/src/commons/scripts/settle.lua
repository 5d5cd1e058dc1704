-- Count settled exchanges, each request id once, and append their log entries.
-- KEYS logs
-- ARGV seconds ids are remembered, seconds of subjects, length of the log, names of counters as JSON,
--      then the JSON of each exchange:
--      settled (set), id, entry, at, sums {{hash, seconds, prefix}, …}, counts (in order of names),
--      subjects {{set, subject}, …}, key (hash, or ''), attempts {{account hash, error or ''}, …}
-- Sums are made here first: a batch of exchanges of one key costs one HINCRBY for each counter.
local names = cjson.decode(ARGV[4])
local sums, lives, counted = {}, {}, 0

local function sum(target, counts)
  local hash, prefix = target[1], target[3]
  local fields = sums[hash] or {}
  sums[hash], lives[hash] = fields, target[2]
  for i, name in ipairs(names) do
    if counts[i] ~= 0 then fields[prefix .. name] = (fields[prefix .. name] or 0) + counts[i] end
  end
end

local function note(key, ...)
  if redis.call('EXISTS', key) == 1 then redis.call('HSET', key, ...) end
end

for i = 5, #ARGV do
  local exchange = cjson.decode(ARGV[i])
  if redis.call('SADD', exchange.settled, exchange.id) == 1 then
    counted = counted + 1
    redis.call('EXPIRE', exchange.settled, ARGV[1])
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'entry', exchange.entry)
    for _, target in ipairs(exchange.sums) do sum(target, exchange.counts) end
    for _, subject in ipairs(exchange.subjects) do
      redis.call('SADD', subject[1], subject[2])
      redis.call('EXPIRE', subject[1], ARGV[2])
    end
    if exchange.key ~= '' then note(exchange.key, 'last_used_at', exchange.at) end
    for _, attempt in ipairs(exchange.attempts) do
      if attempt[2] == '' then
        note(attempt[1], 'last_used_at', exchange.at, 'last_error', '')
      else
        note(attempt[1], 'last_error', attempt[2], 'last_error_at', exchange.at)
      end
    end
  end
end
for hash, fields in pairs(sums) do
  for field, count in pairs(fields) do
    redis.call('HINCRBY', hash, field, string.format('%.0f', count))
  end
  redis.call('EXPIRE', hash, lives[hash])
end
return counted
