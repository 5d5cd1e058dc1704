-- Concurrency slots of accounts, and the queue of requests that wait for one.
-- A slot is a lease, so slots of a dead replica become free. A free slot is assigned to a queued request
-- in the same step, for HANDED_SECONDS, until the request takes it: later requests cannot get it.
-- KEYS slots (sorted set of 'account request key' by end of lease),
--      queue (hash by request: 'since until weight key replica account account … ')
-- ARGV operation, slots of each account or 0 for no limit, seconds of a lease,
--      prefix of the keys of replicas' wakes, request id, and by operation:
--      take: account, key           returns {1}, or {0, accounts that are full or waited for}
--      wait: queue entry, most entries; returns {1}, or {0} if the queue is full
--      free                         releases the request's slots and its queue entry
--      tend                         removes expired leases and queue entries
local SLOT_SECONDS, QUEUE_SECONDS, WAKE_SECONDS = 90, 120, 60
local HANDED_SECONDS = 5
local operation, most, lease, wakes, request = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
if most == 0 then most = math.huge end
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
-- These raise for a wrong type before anything is written.
redis.call('ZCARD', KEYS[1])
redis.call('HLEN', KEYS[2])

-- Number of slots by account and by key, after releasing those of the request `own`.
local function slots_in_use(own)
  local busy, keys = {}, {}
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
  for _, slot in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    local account, whose, key = string.match(slot, '^(%S+) (%S+) (%S+)$')
    if not account or whose == own then
      redis.call('ZREM', KEYS[1], slot)
    else
      busy[account] = (busy[account] or 0) + 1
      keys[key] = (keys[key] or 0) + 1
    end
  end
  return busy, keys
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
  local all = redis.call('HGETALL', KEYS[2])
  for i = 1, #all, 2 do
    local since, until_, weight, key, replica, list =
      string.match(all[i + 1], '^(%S+) (%S+) (%S+) (%S+) (%S+) (.*)$')
    -- An entry that cannot be parsed has expired.
    if (tonumber(until_ or '') or 0) <= now then
      redis.call('HDEL', KEYS[2], all[i])
    elseif all[i] ~= request or operation ~= 'take' then
      places[#places + 1] = {
        request = all[i], since = tonumber(since) or 0, weight = tonumber(weight) or 1,
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

local function lend(account, whose, key, seconds)
  redis.call('ZADD', KEYS[1], now + seconds, account .. ' ' .. whose .. ' ' .. key)
  redis.call('EXPIRE', KEYS[1], SLOT_SECONDS)
end

-- The account of a list with a free slot and the fewest slots in use; false if there is none.
local function room(list, busy)
  local best = false
  for _, account in ipairs(accounts_of(list)) do
    local count = busy[account] or 0
    if count < most and (not best or count < (busy[best] or 0)) then best = account end
  end
  return best
end

-- The next request: of those that a free slot can serve, those of the key with the fewest slots for its
-- weight, and of these the one that waits longest.
local function next_of(places, busy, keys)
  local chosen, chosen_account, least
  local rooms = {}
  for i, place in ipairs(places) do
    local account = rooms[place.list]
    if account == nil then
      account = room(place.list, busy)
      rooms[place.list] = account
    end
    if account then
      local share = (keys[place.key] or 0) / place.weight
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

local function hand_out(places, busy, keys)
  while true do
    local chosen, account = next_of(places, busy, keys)
    if not chosen then return end
    local place = table.remove(places, chosen)
    lend(account, place.request, place.key, HANDED_SECONDS)
    busy[account] = (busy[account] or 0) + 1
    keys[place.key] = (keys[place.key] or 0) + 1
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
  local busy, keys = slots_in_use(request)
  local places, wanted = queue()
  if (busy[account] or 0) < most and not wanted[account] then
    lend(account, request, key, lease)
    busy[account] = (busy[account] or 0) + 1
    keys[key] = (keys[key] or 0) + 1
    hand_out(places, busy, keys)
    return {1}
  end
  hand_out(places, busy, keys)
  local full = {0}
  for name in pairs(wanted) do full[#full + 1] = name end
  for name, count in pairs(busy) do
    if count >= most and not wanted[name] then full[#full + 1] = name end
  end
  return full
end

if operation == 'wait' then
  if redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[7]) and redis.call('HEXISTS', KEYS[2], request) == 0 then
    return {0}
  end
  redis.call('HSET', KEYS[2], request, ARGV[6])
  redis.call('EXPIRE', KEYS[2], QUEUE_SECONDS)
elseif operation == 'free' then
  redis.call('HDEL', KEYS[2], request)
end
local busy, keys = slots_in_use(request)
-- A new entry that waits for full accounts changes nothing for the others.
if operation == 'wait' and not room(string.match(ARGV[6], '^%S+ %S+ %S+ %S+ %S+ (.*)$'), busy) then return {1} end
local places = queue()
hand_out(places, busy, keys)
return {1}
