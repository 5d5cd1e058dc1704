-- Concurrency slots of accounts, and the queue of requests that wait for one.
-- A slot is a lease, so slots of a dead replica become free. A free slot is assigned to a queued request
-- in the same step, for HANDED_SECONDS, until the request takes it: later requests cannot get it.
-- How many slots are in use is counted beside them, so that a call costs the same however many there are. The
-- counts hold while the slots have a member MARK. Scripts of releases that know no counts remove it, as a slot that
-- cannot be parsed, whenever they add or remove slots; without it all slots are counted.
-- KEYS slots (sorted set of 'account request key' by end of lease),
--      queue (hash by request: 'since until weight key replica account account … '),
--      slots in use by account (sorted set), and of the rest a hash:
--      'all', by 'k <key>', of 'r <request>' its slots, a line each, and when they were counted, 'at'
-- ARGV operation, slots of each account or 0 for no limit, seconds of a lease,
--      prefix of the keys of replicas' wakes, request id, and by operation:
--      take: account, key           returns {1}, or {0, accounts that are full or waited for}
--      wait: queue entry, most entries; returns {1}, or {0} if the queue is full
--      free                         releases the request's slots and its queue entry
--      tend                         removes expired leases and queue entries
local SLOT_SECONDS, QUEUE_SECONDS, WAKE_SECONDS = 90, 120, 60
local HANDED_SECONDS = 5
local MARK = 'counted'
local RECOUNT_SECONDS = 300 -- counts are trusted for so long
local RETRY_SECONDS = 5 -- between two counts that are kept, while another release removes the mark
local MOST_EXPIRED = 500 -- leases that one call ends; until the next they count as in use
local BATCH = 500
local operation, most, lease, wakes, request = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
if most == 0 then most = math.huge end
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
-- What is there at first; these raise for a wrong type before anything is written.
local members, queued = redis.call('ZCARD', KEYS[1]), redis.call('HLEN', KEYS[2])
local accounts_in_use = redis.call('ZCARD', KEYS[3])
local found = redis.call('HMGET', KEYS[4], 'all', 'r ' .. request)
local all, held = tonumber(found[1] or ''), {[request] = found[2] or ''} -- slots in use, and those of requests

-- Slots in use as far as they have been read; all of them are in `busy` once `complete`.
local busy, keys, complete = {}, {}, false
local counted -- whether the counts in Redis hold

local function parse(slot) return string.match(slot, '^(%S+) (%S+) (%S+)$') end

local function counts_hold()
  local trusted = tonumber(redis.call('ZSCORE', KEYS[1], MARK) or 0)
  if trusted <= now or trusted > now + 2 * RECOUNT_SECONDS then return false end
  return all and members == all + 1 and (all == 0 or accounts_in_use > 0)
end

local function in_use(account)
  if not busy[account] and not complete then
    busy[account] = tonumber(redis.call('ZSCORE', KEYS[3], account) or 0)
  end
  return busy[account] or 0
end

local function in_use_of_key(key)
  if not keys[key] and counted then keys[key] = tonumber(redis.call('HGET', KEYS[4], 'k ' .. key) or 0) end
  return keys[key] or 0
end

local function read_accounts()
  if complete then return end
  local all = redis.call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES')
  for i = 1, #all, 2 do busy[all[i]] = tonumber(all[i + 1]) end
  complete = true
end

-- Count a slot that was added (by 1) or removed (by -1), here and in Redis.
local function count(slot, by)
  local account, whose, key = parse(slot)
  if not account then return end
  busy[account], keys[key] = in_use(account) + by, in_use_of_key(key) + by
  if not counted then return end
  if busy[account] > 0 then
    redis.call('ZADD', KEYS[3], busy[account], account)
  else
    redis.call('ZREM', KEYS[3], account)
  end
  local others = {}
  for each in string.gmatch(held[whose] or redis.call('HGET', KEYS[4], 'r ' .. whose) or '', '[^\n]+') do
    if each ~= slot then others[#others + 1] = each end
  end
  if by > 0 then others[#others + 1] = slot end
  all, held[whose] = all + by, table.concat(others, '\n')
  local kept, ended = {'all', all}, {}
  if keys[key] > 0 then
    kept[#kept + 1], kept[#kept + 2] = 'k ' .. key, keys[key]
  else
    ended[#ended + 1] = 'k ' .. key
  end
  if held[whose] ~= '' then
    kept[#kept + 1], kept[#kept + 2] = 'r ' .. whose, held[whose]
  else
    ended[#ended + 1] = 'r ' .. whose
  end
  redis.call('HSET', KEYS[4], unpack(kept))
  if ended[1] then redis.call('HDEL', KEYS[4], unpack(ended)) end
end

local function release(slot)
  if redis.call('ZREM', KEYS[1], slot) == 1 then count(slot, -1) end
end

local function lend(account, whose, key, seconds)
  local slot = account .. ' ' .. whose .. ' ' .. key
  if redis.call('ZADD', KEYS[1], now + seconds, slot) == 1 then count(slot, 1) end
  redis.call('EXPIRE', KEYS[1], SLOT_SECONDS)
  if counted then
    redis.call('EXPIRE', KEYS[3], SLOT_SECONDS)
    redis.call('EXPIRE', KEYS[4], SLOT_SECONDS)
  end
end

-- Write the counts of these slots, in place of whatever was there.
local function keep_counts(slots, holders)
  local fields = {'all', #slots, 'at', string.format('%.6f', now)}
  for key, number in pairs(keys) do
    fields[#fields + 1], fields[#fields + 2] = 'k ' .. key, number
  end
  for whose, theirs in pairs(holders) do
    fields[#fields + 1], fields[#fields + 2] = 'r ' .. whose, table.concat(theirs, '\n')
  end
  all, held = #slots, {[request] = ''}
  local scores = {}
  for account, number in pairs(busy) do scores[#scores + 1], scores[#scores + 2] = number, account end
  redis.call('DEL', KEYS[3], KEYS[4])
  for i = 1, #fields, BATCH do
    redis.call('HSET', KEYS[4], unpack(fields, i, math.min(i + BATCH - 1, #fields)))
  end
  for i = 1, #scores, BATCH do
    redis.call('ZADD', KEYS[3], unpack(scores, i, math.min(i + BATCH - 1, #scores)))
  end
  redis.call('ZADD', KEYS[1], now + RECOUNT_SECONDS, MARK)
  for _, name in ipairs({KEYS[1], KEYS[3], KEYS[4]}) do redis.call('EXPIRE', name, SLOT_SECONDS) end
end

-- Count all slots, after releasing those of the request. The counts are kept for the calls that follow, unless
-- they were kept a moment ago and did not last.
local function count_all()
  local slots, holders = {}, {}
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
  redis.call('ZREM', KEYS[1], MARK)
  for _, slot in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    local account, whose, key = parse(slot)
    if not account or whose == request then
      redis.call('ZREM', KEYS[1], slot)
    else
      busy[account], keys[key] = (busy[account] or 0) + 1, (keys[key] or 0) + 1
      slots[#slots + 1] = slot
      holders[whose] = holders[whose] or {}
      table.insert(holders[whose], slot)
    end
  end
  complete = true
  local at = tonumber(redis.call('HGET', KEYS[4], 'at') or '') or 0
  if #slots <= BATCH or now - at >= RETRY_SECONDS then
    keep_counts(slots, holders)
    counted = true
  end
end

-- End the leases that have expired and release the request's slots; from then on the counts are right.
local function prepare()
  counted = counts_hold()
  if not counted then return count_all() end
  for _, slot in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, MOST_EXPIRED)) do
    release(slot)
  end
  for slot in string.gmatch(held[request], '[^\n]+') do release(slot) end
end

-- Without slots no counts are kept.
local function tidy()
  if counted and redis.call('ZCARD', KEYS[1]) == 1 then redis.call('DEL', KEYS[1], KEYS[3], KEYS[4]) end
end

-- Accounts without a free slot.
local function full_accounts()
  if not complete then return redis.call('ZRANGEBYSCORE', KEYS[3], most, '+inf') end
  local full = {}
  for account, number in pairs(busy) do
    if number >= most then full[#full + 1] = account end
  end
  return full
end

-- Most queue entries have the same list of accounts: each list is parsed once.
local lists = {}

local function accounts_of(list)
  local accounts = lists[list]
  if not accounts then
    accounts = {}
    for account in string.gmatch(list, '%S+') do accounts[#accounts + 1] = account end
    lists[list] = accounts
  end
  return accounts
end

-- The queue entries, and the accounts they wait for.
local function queue()
  local places, wanted, seen = {}, {}, {}
  if queued == 0 then return places, wanted end
  local entries = redis.call('HGETALL', KEYS[2])
  for i = 1, #entries, 2 do
    local since, until_, weight, key, replica, list =
      string.match(entries[i + 1], '^(%S+) (%S+) (%S+) (%S+) (%S+) (.*)$')
    -- An entry that cannot be parsed has expired.
    if (tonumber(until_ or '') or 0) <= now then
      redis.call('HDEL', KEYS[2], entries[i])
    elseif entries[i] ~= request or operation ~= 'take' then
      places[#places + 1] = {
        request = entries[i], since = tonumber(since) or 0, weight = tonumber(weight) or 1,
        key = key, replica = replica, list = list,
      }
      if not seen[list] then
        seen[list] = true
        for _, account in ipairs(accounts_of(list)) do wanted[account] = true end
      end
    end
  end
  return places, wanted
end

-- The account of a list with a free slot and the fewest slots in use; false if there is none.
local function room(list)
  read_accounts()
  local best = false
  for _, account in ipairs(accounts_of(list)) do
    local number = in_use(account)
    if number < most and (not best or number < in_use(best)) then best = account end
  end
  return best
end

-- The next request: of those that a free slot can serve, those of the key with the fewest slots for its
-- weight, and of these the one that waits longest.
local function next_of(places)
  local chosen, chosen_account, least
  local rooms = {}
  for i, place in ipairs(places) do
    local account = rooms[place.list]
    if account == nil then
      account = room(place.list)
      rooms[place.list] = account
    end
    if account then
      local share = in_use_of_key(place.key) / place.weight
      local older = chosen and place.since < places[chosen].since
      if not chosen or share < least or (share == least and older) then
        chosen, chosen_account, least = i, account, share
      end
    end
  end
  return chosen, chosen_account
end

-- Notify the replica of a request. A list of another type is replaced: it is one replica's, and whoever frees
-- a slot must not fail because of it.
local function notify(place, account)
  local list, wake = wakes .. place.replica, place.request .. ' ' .. account
  if type(redis.pcall('RPUSH', list, wake)) == 'table' then
    redis.call('DEL', list)
    redis.call('RPUSH', list, wake)
  end
  redis.call('EXPIRE', list, WAKE_SECONDS)
end

local function hand_out(places)
  while true do
    local chosen, account = next_of(places)
    if not chosen then return end
    local place = table.remove(places, chosen)
    lend(account, place.request, place.key, HANDED_SECONDS)
    redis.call('HDEL', KEYS[2], place.request)
    notify(place, account)
  end
end

if operation == 'take' then
  local account, key = ARGV[6], ARGV[7]
  local before = redis.call('ZSCORE', KEYS[1], account .. ' ' .. request .. ' ' .. key)
  if before and tonumber(before) > now then
    lend(account, request, key, lease)
    return {1}
  end
  prepare()
  local places, wanted = queue()
  if in_use(account) < most and not wanted[account] then
    lend(account, request, key, lease)
    hand_out(places)
    return {1}
  end
  hand_out(places)
  local full = {0}
  for name in pairs(wanted) do full[#full + 1] = name end
  for _, name in ipairs(full_accounts()) do
    if not wanted[name] then full[#full + 1] = name end
  end
  tidy()
  return full
end

if operation == 'wait' then
  if queued >= tonumber(ARGV[7]) and redis.call('HEXISTS', KEYS[2], request) == 0 then
    return {0}
  end
  redis.call('HSET', KEYS[2], request, ARGV[6])
  queued = queued + 1
  redis.call('EXPIRE', KEYS[2], QUEUE_SECONDS)
elseif operation == 'free' and queued > 0 then
  redis.call('HDEL', KEYS[2], request)
end
prepare()
-- A new entry that waits for full accounts changes nothing for the others.
if operation == 'wait' and not room(string.match(ARGV[6], '^%S+ %S+ %S+ %S+ %S+ (.*)$')) then return {1} end
hand_out(queue())
tidy()
return {1}
