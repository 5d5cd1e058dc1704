-- Slots of accounts: who gives how many answers at a time, who waits for one, and whose turn it is.
-- A slot is leased, so what a dead replica held is free again. A slot that is free is handed to one
-- who waits, in this very step: nobody who comes later finds it.
-- KEYS slots (sorted set of 'account request key' by end of lease),
--      queue (hash by request: 'since until weight key replica account account … ')
-- ARGV what to do, slots of each account, seconds of a lease, name of a replica's wakes without its id,
--      request, and
--      take: account, key           gives {1}, or {0, accounts that are full or waited for}
--      wait: the request's place in the queue, most that may wait; gives {1}, or {0} if it is too long
--      free                         gives back its slots and its place in the queue
--      tend                         looks after leases and places that have ended
local QUEUE_SECONDS, WAKE_SECONDS = 120, 60
local deed, most, lease, wakes, request = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000

-- Slots held of each account, and by each key; of which one's own is given back.
local function held(own)
  local busy, keys = {}, {}
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
  for _, slot in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    local account, whose, key = string.match(slot, '^(%S+) (%S+) (%S+)$')
    if whose == own then
      redis.call('ZREM', KEYS[1], slot)
    else
      busy[account] = (busy[account] or 0) + 1
      keys[key] = (keys[key] or 0) + 1
    end
  end
  return busy, keys
end

-- Those who wait, and the accounts they wait for.
local function queue()
  local places, wanted = {}, {}
  local all = redis.call('HGETALL', KEYS[2])
  for i = 1, #all, 2 do
    local since, until_, weight, key, replica, accounts =
      string.match(all[i + 1], '^(%S+) (%S+) (%S+) (%S+) (%S+) (.*)$')
    if tonumber(until_) <= now then
      redis.call('HDEL', KEYS[2], all[i])
    elseif all[i] ~= request or deed ~= 'take' then
      local place = {
        request = all[i], since = tonumber(since), weight = tonumber(weight),
        key = key, replica = replica, accounts = {},
      }
      for account in string.gmatch(accounts, '%S+') do
        place.accounts[#place.accounts + 1] = account
        wanted[account] = true
      end
      places[#places + 1] = place
    end
  end
  return places, wanted
end

local function lend(account, whose, key)
  redis.call('ZADD', KEYS[1], now + lease, account .. ' ' .. whose .. ' ' .. key)
  redis.call('EXPIRE', KEYS[1], math.ceil(lease) * 2)
end

-- The least busy account with room that somebody waits for.
local function room(place, busy)
  local best
  for _, account in ipairs(place.accounts) do
    local count = busy[account] or 0
    if count < most and (not best or count < (busy[best] or 0)) then best = account end
  end
  return best
end

-- Whose turn it is: of those who can be served the key that holds least for its weight, and of its
-- requests the one that waits longest.
local function next_of(places, busy, keys)
  local chosen, chosen_account, least
  for i, place in ipairs(places) do
    local account = room(place, busy)
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

local function hand_out(busy, keys)
  local places = queue()
  while true do
    local chosen, account = next_of(places, busy, keys)
    if not chosen then return end
    local place = table.remove(places, chosen)
    lend(account, place.request, place.key)
    busy[account] = (busy[account] or 0) + 1
    keys[place.key] = (keys[place.key] or 0) + 1
    redis.call('HDEL', KEYS[2], place.request)
    redis.call('RPUSH', wakes .. place.replica, place.request .. ' ' .. account)
    redis.call('EXPIRE', wakes .. place.replica, WAKE_SECONDS)
  end
end

if deed == 'take' then
  local account, key = ARGV[6], ARGV[7]
  local before = redis.call('ZSCORE', KEYS[1], account .. ' ' .. request .. ' ' .. key)
  if before and tonumber(before) > now then return {1} end
  local busy, keys = held(request)
  local _, wanted = queue()
  if (busy[account] or 0) < most and not wanted[account] then
    lend(account, request, key)
    hand_out(held(''))
    return {1}
  end
  hand_out(busy, keys)
  local full = {0}
  for name in pairs(wanted) do full[#full + 1] = name end
  for name, count in pairs(busy) do
    if count >= most and not wanted[name] then full[#full + 1] = name end
  end
  return full
end

if deed == 'wait' then
  if redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[7]) then return {0} end
  redis.call('HSET', KEYS[2], request, ARGV[6])
  redis.call('EXPIRE', KEYS[2], QUEUE_SECONDS)
elseif deed == 'free' then
  redis.call('HDEL', KEYS[2], request)
end
hand_out(held(request))
return {1}
