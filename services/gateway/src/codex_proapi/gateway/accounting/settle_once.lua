-- Count settled exchanges, each request id once, and append their log entries.
-- KEYS logs, settings, index of the log
-- ARGV seconds ids are remembered, names of counters as JSON, usual, least and greatest length of the log,
--      JSON of what exchanges are counted in, each once:
--      settled (set), sums {{hash, seconds, prefix}, …}, hours {{hash, field}, …} (packed, in some of these hashes),
--      subjects {{set, seconds, subject}, …}, key (hash, or ''), streams and minute (of the key's limits), share {hash,
--      field} (of the key's fair share), costs (null, or what is remembered of days' costs: hash, day),
--      and then the JSON of each exchange and its log entry in turn:
--      targets (its place among those, from 1), id, at, counts (in order of names),
--      attempts {{account hash, error or ''}, …},
--      drawn (null, or {place, at, more}: what it held of its key's limits, and how many tokens it used
--      beyond its estimate), fair_share (null, or how much more it cost than was charged, by weight)
-- Gives {counted, {places of the exchanges of which something could not be written, from 0}, the first error}.
-- What a batch has in common is gathered first: ten exchanges of one key cost one HINCRBY for each
-- of its counters.
-- Redis rolls nothing back, so a value that cannot be changed (another type, no number) loses only what would
-- have been written to it. An error that says something of the server (no memory, read only) comes with the
-- first write and ends the script: nothing is done then, and the caller tries again. Ids are marked and
-- entries appended last, when all that could fail has been done.
-- include codex_proapi.commons.usage/log_length.lua
-- include codex_proapi.commons.usage/packed_usage.lua
local FIRST = 7 -- of ARGV that is an exchange
local names, all_targets = cjson.decode(ARGV[2]), cjson.decode(ARGV[6])
local length = log_length(KEYS[2], ARGV[3], ARGV[4], ARGV[5])
local sums, hours, subjects, notes, lives, fresh, costs = {}, {}, {}, {}, {}, {}, {}
local refused, first, written, counted, indexed = {}, '', false, 0, {}
local POISONED = {'^WRONGTYPE', 'not an integer', 'not a valid float', 'overflow'}

local function refuse(places, message)
  for _, place in ipairs(places) do refused[place] = true end
  if first == '' then first = message end
end

-- Write; what the value refuses is noted for these exchanges, what the server refuses ends the script.
local function write(places, ...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then
    written = true
    return true
  end
  for _, pattern in ipairs(POISONED) do
    if string.find(reply.err, pattern) then
      refuse(places, reply.err)
      return false
    end
  end
  if not written then redis.call(...) end -- raises the same error with its code
  refuse(places, reply.err)
  return false
end

local function at(table, name)
  table[name] = table[name] or {places = {}, fields = {}}
  return table[name]
end

local function owned(target, place)
  target.places[#target.places + 1] = place
  return target.fields
end

local function sum(target, counts, place)
  local hash, prefix = target[1], target[3]
  local fields = owned(at(sums, hash), place)
  lives[hash] = target[2]
  for i, name in ipairs(names) do
    if counts[i] ~= 0 then fields[prefix .. name] = (fields[prefix .. name] or 0) + counts[i] end
  end
end

local function sum_hour(target, counts, place)
  local fields = owned(at(hours, target[1]), place)
  local held = fields[target[2]] or {}
  for i = 1, #names do held[i] = (held[i] or 0) + counts[i] end
  fields[target[2]] = held
end

-- Take in one exchange; nothing is taken in of one whose counts are no numbers.
local function gather(exchange, place)
  local targets = exchange.targets
  for i = 1, #names do assert(type(exchange.counts[i]) == 'number', 'counts are no numbers') end
  for _, target in ipairs(targets.sums) do sum(target, exchange.counts, place) end
  for _, target in ipairs(targets.hours) do sum_hour(target, exchange.counts, place) end
  for _, subject in ipairs(targets.subjects) do
    owned(at(subjects, subject[1]), place)[subject[3]] = true
    lives[subject[1]] = subject[2]
  end
  if targets.costs ~= cjson.null then
    costs[targets.costs[1]] = costs[targets.costs[1]] or {}
    costs[targets.costs[1]][targets.costs[2]] = true
  end
  if targets.key ~= '' then owned(at(notes, targets.key), place).last_used_at = exchange.at end
  for _, attempt in ipairs(exchange.attempts) do
    local note = owned(at(notes, attempt[1]), place)
    note.last_error = attempt[2]
    note[attempt[2] == '' and 'last_used_at' or 'last_error_at'] = exchange.at
  end
  fresh[#fresh + 1] = {place, exchange}
end

-- The estimate's second is corrected while it counts; later what was used beyond it counts anew.
local function correct(drawn, targets)
  local place, second, more = drawn[1], drawn[2], drawn[3]
  redis.call('ZREM', targets.streams, place)
  if more == 0 then return end
  local minute, time = targets.minute, redis.call('TIME')
  if time[1] - second > 60 or redis.call('HEXISTS', minute, second) == 0 then
    local limits = redis.call('HGET', targets.key, 'limits')
    local read, found = pcall(cjson.decode, limits or '{}')
    local tpm = read and type(found) == 'table' and tonumber(found.tpm) or 0
    if more < 0 or tpm == 0 then return end
    second = tonumber(time[1])
    redis.call('HSET', minute, second .. '+', time[1] + time[2] / 1000000)
  end
  redis.call('HINCRBY', minute, second, string.format('%.0f', more))
  redis.call('EXPIRE', minute, 120)
end

-- A share that has ended with its key's silence stays ended.
local function even(more, share)
  local shares, key = share[1], share[2]
  local had, rest = string.match(redis.call('HGET', shares, key) or '', '^(%S+) (.*)$')
  if had and tonumber(had) then
    local spent = math.max(0, tonumber(had) + more)
    redis.call('HSET', shares, key, string.format('%.3f %s', spent, rest))
  end
end

local seen = {}
for i = FIRST, #ARGV, 2 do
  local place = (i - FIRST) / 2
  local read, exchange = pcall(cjson.decode, ARGV[i])
  if read then exchange.targets, exchange.entry = all_targets[exchange.targets], ARGV[i + 1] end
  local settled = read and exchange.targets.settled
  local known = read and redis.pcall('SISMEMBER', settled, exchange.id)
  if not read then
    refuse({place}, 'an exchange cannot be read')
  elseif type(known) == 'table' then
    refuse({place}, known.err)
  elseif known == 0 and not seen[settled .. exchange.id] then
    seen[settled .. exchange.id] = true
    local done, message = pcall(gather, exchange, place)
    if not done then refuse({place}, message) end
  end
end

for hash, sums_of in pairs(sums) do
  for field, count in pairs(sums_of.fields) do
    write(sums_of.places, 'HINCRBY', hash, field, string.format('%.0f', count))
  end
end
for hash, hours_of in pairs(hours) do
  for field, counts in pairs(hours_of.fields) do
    local held = redis.pcall('HGET', hash, field)
    if type(held) == 'table' then
      refuse(hours_of.places, held.err)
    else
      for i, count in ipairs(counts) do counts[i] = count_of(count) end
      write(hours_of.places, 'HSET', hash, field, sum_packed(held, table.concat(counts, ' ')))
    end
  end
end
for hash, days in pairs(costs) do -- they are worked out anew
  for day in pairs(days) do redis.pcall('HDEL', hash, day) end
end
for set, members in pairs(subjects) do
  for member in pairs(members.fields) do write(members.places, 'SADD', set, member) end
end
for hash, note in pairs(notes) do
  if redis.call('EXISTS', hash) == 1 then
    for field, value in pairs(note.fields) do write(note.places, 'HSET', hash, field, value) end
  end
end
for _, entry in ipairs(fresh) do
  local place, exchange = entry[1], entry[2]
  if exchange.drawn ~= cjson.null then
    local done, message = pcall(correct, exchange.drawn, exchange.targets)
    if not done then refuse({place}, type(message) == 'table' and message.err or message) end
  end
  if exchange.fair_share ~= cjson.null then
    local done, message = pcall(even, exchange.fair_share, exchange.targets.share)
    if not done then refuse({place}, type(message) == 'table' and message.err or message) end
  end
  if write({place}, 'SADD', exchange.targets.settled, exchange.id) then
    counted = counted + 1
    lives[exchange.targets.settled] = ARGV[1]
  end
  if write({place}, 'XADD', KEYS[1], 'MAXLEN', '~', length, '*', 'entry', exchange.entry) then
    indexed[#indexed + 1] = exchange.id
  end
end
if #indexed > 0 then
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]
  local at = string.match(last, '^%d+') -- of all of them: a script runs in one moment
  for _, id in ipairs(indexed) do redis.pcall('ZADD', KEYS[3], at, id) end
  redis.pcall('ZREMRANGEBYRANK', KEYS[3], 0, -length - 1)
end
for key, seconds in pairs(lives) do redis.call('EXPIRE', key, seconds) end

local places = {}
for place in pairs(refused) do places[#places + 1] = place end
return {counted, places, first}
