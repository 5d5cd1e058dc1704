-- Count settled exchanges, each request id once, and append their log entries.
-- KEYS logs, settings, index of the log
-- ARGV seconds ids are remembered, names of counters as JSON, usual, least and greatest length of the log,
--      JSON of what exchanges are counted in, each once; of a key and a model, and of an account and a model:
--      sums {{hash, seconds, prefix, field of its hour (packed) or ''}, …}, subjects {{set, seconds, subject}, …},
--      and of a key also settled (set), key (hash, or ''), streams and minute (of its limits), share {hash,
--      field} (of its fair share), costs (null, or what is remembered of days' costs: hash, day),
--      and then the JSON of each exchange, a list, and its log entry in turn:
--      places of its key's and its account's among those, from 1, id, at, counts (in order of names),
--      attempts {{account hash, error or ''}, …},
--      drawn (null, or {permit, at, more}: what it held of its key's limits, and how many tokens it used
--      beyond its estimate), fair share (null, or how much more it cost than was charged, by weight)
-- Gives {counted, {places of the exchanges of which something could not be written, from 0}, the first error}.
-- What a batch has in common is gathered first: ten exchanges of one key cost one read and one write of its
-- counters.
-- Redis rolls nothing back, so a value that cannot be changed (another type, no number) loses only what would
-- have been written to it. An error that says something of the server (no memory, read only) comes with the
-- first write and ends the script: nothing is done then, and the caller tries again. Ids are marked and
-- entries appended last, when all that could fail has been done.
-- include codex_proapi.commons.usage/log_length.lua
-- include codex_proapi.commons.usage/packed_usage.lua
local FIRST = 7 -- of ARGV that is an exchange
local LONGEST = 15 -- digits of a counter that a number of Lua holds exactly
local MOST = 1e13 -- that one exchange can have used; what a batch adds up to is exact, too
local names, targets = cjson.decode(ARGV[2]), cjson.decode(ARGV[6])
local length = log_length(KEYS[2], ARGV[3], ARGV[4], ARGV[5])
local time = redis.call('TIME')
local notes, lives = {}, {}
local refused, first, written = {}, '', false
local POISONED = {'^WRONGTYPE', 'not an integer', 'not a valid float', 'overflow'}

local function refuse(places, message)
  for _, place in ipairs(places) do refused[place] = true end
  if first == '' then first = message end
end

-- Write, and give the reply; what the value refuses is noted for these exchanges and gives nil, what the server
-- refuses ends the script.
local function write(places, ...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then
    written = true
    return reply
  end
  for _, pattern in ipairs(POISONED) do
    if string.find(reply.err, pattern) then return refuse(places, reply.err) end
  end
  if not written then redis.call(...) end -- raises the same error with its code
  refuse(places, reply.err)
end

-- The note of a hash: fields to be set by one of these exchanges.
local function note_of(hash, place)
  notes[hash] = notes[hash] or {places = {}, fields = {}}
  table.insert(notes[hash].places, place)
  return notes[hash].fields
end

-- Count an exchange in what all of its key, or of its account, are counted in.
local function count_in(target, counts, place)
  target.places, target.counts = target.places or {}, target.counts or {}
  target.places[#target.places + 1] = place
  for i = 1, #names do target.counts[i] = (target.counts[i] or 0) + counts[i] end
end

-- Take in one exchange; nothing is taken in of one whose counts are no numbers.
local function gather(exchange, place)
  local of_key, of_account, _, settled_at, counts, attempts, drawn, share = unpack(exchange)
  for i = 1, #names do
    assert(type(counts[i]) == 'number', 'counts are no numbers')
    if counts[i] >= MOST then -- the backend's mistake
      counts[i] = 0
      refuse({place}, 'a count is too large')
    end
  end
  count_in(targets[of_key], counts, place)
  count_in(targets[of_account], counts, place)
  local key = targets[of_key]
  key.drawn, key.shared = key.drawn or {}, key.shared or {}
  if drawn ~= cjson.null then table.insert(key.drawn, {place, unpack(drawn)}) end
  if share ~= cjson.null then table.insert(key.shared, {place, share}) end
  if key.key ~= '' then note_of(key.key, place).last_used_at = settled_at end
  for _, attempt in ipairs(attempts) do
    local note = note_of(attempt[1], place)
    note.last_error = attempt[2]
    note[attempt[2] == '' and 'last_used_at' or 'last_error_at'] = settled_at
  end
end

-- Add what was counted in a target to one of its hashes. A counter that is no small number is left to Redis.
local function add_up(sum, target)
  local name, prefix, hour = sum[1], sum[3], sum[4]
  local fields, counts, words = {}, {}, {}
  for i, count in ipairs(target.counts) do
    if count ~= 0 then fields[#fields + 1], counts[#counts + 1] = prefix .. names[i], count end
  end
  if hour ~= '' then fields[#fields + 1] = hour end
  local held = redis.pcall('HMGET', name, unpack(fields))
  if held.err then return refuse(target.places, held.err) end
  for i, field in ipairs(fields) do
    local count, value = counts[i], held[i]
    if not count then
      value = sum_packed(value, table.concat(target.counts, ' '))
    elseif not value then
      value = count
    elseif #value <= LONGEST and string.find(value, '^%d+$') then
      value = value + count
    else
      write(target.places, 'HINCRBY', name, field, count)
      value = nil
    end
    if value then words[#words + 1], words[#words + 2] = field, value end
  end
  if words[1] then write(target.places, 'HSET', name, unpack(words)) end
end

-- The estimate's second is corrected while it counts; later what was used beyond it counts anew.
local function correct(key)
  local permits, seconds, late = {}, {}, 0
  for i, drawn in ipairs(key.drawn) do
    local second, more = drawn[3], drawn[4]
    permits[i] = drawn[2]
    seconds[second] = seconds[second] or {0, 0}
    seconds[second][1] = seconds[second][1] + more
    seconds[second][2] = seconds[second][2] + math.max(0, more)
  end
  redis.call('ZREM', key.streams, unpack(permits))
  local changed = false
  for second, sum in pairs(seconds) do
    if sum[1] == 0 and sum[2] == 0 then -- as estimated
    elseif time[1] - second > 60 or redis.call('HEXISTS', key.minute, second) == 0 then
      late = late + sum[2]
    elseif sum[1] ~= 0 then
      redis.call('HINCRBY', key.minute, second, string.format('%.0f', sum[1]))
      changed = true
    end
  end
  if late > 0 then
    local limits = redis.call('HGET', key.key, 'limits')
    local read, found = pcall(cjson.decode, limits or '{}')
    local tpm = read and type(found) == 'table' and tonumber(found.tpm) or 0
    if tpm > 0 then
      redis.call('HSET', key.minute, time[1] .. '+', time[1] + time[2] / 1000000)
      redis.call('HINCRBY', key.minute, time[1], string.format('%.0f', late))
      changed = true
    end
  end
  if changed then redis.call('EXPIRE', key.minute, 120) end
end

-- A share that has ended with its key's silence stays ended.
local function even(key)
  local name, field = key.share[1], key.share[2]
  local had, rest = string.match(redis.call('HGET', name, field) or '', '^(%S+) (.*)$')
  local spent = tonumber(had or '')
  if not spent then return end
  for _, shared in ipairs(key.shared) do spent = math.max(0, spent + shared[2]) end
  redis.call('HSET', name, field, string.format('%.3f %s', spent, rest))
end

-- Do it, if there is anything to do; an error is noted for the exchanges concerned.
local function attempt(work, key, concerned)
  if not concerned[1] then return end
  local done, message = pcall(work, key)
  if done then return end
  local places = {}
  for i, each in ipairs(concerned) do places[i] = each[1] end
  refuse(places, type(message) == 'table' and message.err or message)
end

-- The places of new exchanges and their ids, by the set of the ids that are settled.
local new = {}
for i = FIRST, #ARGV, 2 do
  local place = (i - FIRST) / 2
  local read, exchange = pcall(cjson.decode, ARGV[i])
  local set, id = read and targets[exchange[1]].settled, read and exchange[3]
  local known = read and redis.pcall('SISMEMBER', set, id)
  if not read then
    refuse({place}, 'an exchange cannot be read')
  elseif type(known) == 'table' then
    refuse({place}, known.err)
  elseif known == 0 then
    new[set] = new[set] or {places = {}, ids = {}, taken = {}}
    if not new[set].taken[id] then
      new[set].taken[id] = true
      local done, message = pcall(gather, exchange, place)
      if done then
        table.insert(new[set].places, place)
        table.insert(new[set].ids, id)
      else
        refuse({place}, message)
      end
    end
  end
end

for _, target in ipairs(targets) do
  for _, sum in ipairs(target.counts and target.sums or {}) do
    add_up(sum, target)
    lives[sum[1]] = sum[2]
  end
  for _, subject in ipairs(target.counts and target.subjects or {}) do
    write(target.places, 'SADD', subject[1], subject[3])
    lives[subject[1]] = subject[2]
  end
  local costs = target.counts and target.costs
  if costs and costs ~= cjson.null then redis.pcall('HDEL', costs[1], costs[2]) end -- they are worked out anew
end
for hash, note in pairs(notes) do
  if redis.call('EXISTS', hash) == 1 then
    local words = {}
    for field, value in pairs(note.fields) do words[#words + 1], words[#words + 2] = field, value end
    write(note.places, 'HSET', hash, unpack(words))
  end
end
for _, target in ipairs(targets) do
  if target.drawn then attempt(correct, target, target.drawn) end
  if target.shared then attempt(even, target, target.shared) end
end
local counted, index = 0, {}
for set, settled in pairs(new) do
  if settled.ids[1] and write(settled.places, 'SADD', set, unpack(settled.ids)) then
    counted = counted + #settled.ids
    lives[set] = ARGV[1]
  end
  for i, place in ipairs(settled.places) do
    local entry = ARGV[FIRST + 2 * place + 1]
    local added = write({place}, 'XADD', KEYS[1], 'MAXLEN', '~', length, '*', 'entry', entry)
    if added then index[#index + 1], index[#index + 2] = string.match(added, '^%d+'), settled.ids[i] end
  end
end
if index[1] then
  redis.pcall('ZADD', KEYS[3], unpack(index))
  redis.pcall('ZREMRANGEBYRANK', KEYS[3], 0, -length - 1)
end
for name, seconds in pairs(lives) do redis.call('EXPIRE', name, seconds) end

local places = {}
for place in pairs(refused) do places[#places + 1] = place end
return {counted, places, first}
