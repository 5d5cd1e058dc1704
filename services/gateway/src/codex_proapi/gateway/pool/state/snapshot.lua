-- The snapshot, the one round trip before upstream: time, versions, cursor, affinity, cooldowns, charge.
-- KEYS accounts-version, keys-version, cursor, cooldowns, affinity, fair shares, cooldowns-version, quota-changes
--      and for a key with limits: requests and tokens of its minute, its streams, usage from today back,
--      and with a budget in money: costs of earlier days, counters by model from today back
-- ARGV model, affinity lifetime or 0 for none,
--      accounts a conversation may stay with: '' any, '+ id id … ' only these, '- id id … ' all but these,
--      version of the cooldowns that the caller has or '',
--      '' or, while the pool is scarce, the claim to a fair share: 'key request charge ahead active patience'
--      '' or, where owners keep shares of accounts: 'quotas\' prefix, score of the last change that the caller has
--      seen, ids of the accounts whose quota it has not read, separated and ended by spaces'
--      and for a key with limits: keys-version, request id, tokens, limits rpm, tpm, concurrent,
--      the stream permit's member or '', its seconds, limits of a day, a week, a month, day of the month, begin and end of the day,
--      and with a budget in money: its limits of a day, a week, a month in millionths of a dollar, prices, their version,
--      days from today back with blanks between, seconds that costs of earlier days are remembered
-- Returns {seconds, microseconds, accounts-version, keys-version, cursor or -1, affine account or '',
--        version of the cooldowns, {name, JSON, …} of all of them or nil if the caller has that version,
--        {limit reached or '' or 'changed', wait, requests left, their reset, tokens left, their reset,
--         days until a budget has something left, tokens spent of a day's, a week's, a month's, and money},
--        -1 or, of a claim, how long to wait: 0 if it was charged,
--        {score of the last change, account, JSON of its quota or '', …} of what has changed since, or nil};
--        times in milliseconds.
-- The cursor advances only if no eligible affine account is available; a tie that is found is renewed.
-- Cost and size do not grow with the accounts, except for cooldowns that have changed.
-- The affine account begins with '~' while the tie is tentative: selected, but not answered yet.
-- A request over a limit or a fair share changes nothing. 'changed' is also returned if Redis' time
-- is not in the caller's day (of the team's time zone), because its usage keys are those of other days.
local MINUTE, KEPT = 60, 120
local COSTED = ARGV[21] ~= nil
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
-- accounts-version, keys-version, cursor, the conversation's tie, cooldowns-version
local values = redis.call('MGET', KEYS[1], KEYS[2], KEYS[3], KEYS[5], KEYS[7])

-- A counter, 0 if there is none. MGET takes a key of another type for none, GET raises.
local function counter(n)
  return tonumber(values[n] or redis.call('GET', KEYS[n]) or 0) or error('a counter is no number')
end

-- What all requests share raises for a wrong type here, before anything is written. A tie of another type is
-- none, and replaced when the conversation is tied again.
local accounts_version, keys_version = counter(1), counter(2)
counter(3)
redis.call('HLEN', KEYS[4])

-- Quotas of the accounts of which owners keep a share, as far as the caller does not have them.
local function changed_quotas()
  if ARGV[6] == '' then return false end
  local prefix, since, ids = string.match(ARGV[6], '^(%S+) (%S+) (.*)$')
  local found, taken = {since}, {}
  local function take(id)
    if taken[id] then return end
    taken[id] = true
    local json = redis.pcall('GET', prefix .. id)
    found[#found + 1] = id
    found[#found + 1] = type(json) == 'string' and json or ''
  end
  local changed = redis.call('ZRANGEBYSCORE', KEYS[8], '(' .. since, '+inf', 'WITHSCORES')
  for i = 1, #changed, 2 do
    take(changed[i])
    found[1] = changed[i + 1]
  end
  for id in string.gmatch(ids, '%S+') do take(id) end
  return #found > 1 and found
end
local quotas = changed_quotas()

-- The charge to a key's limits. What it needs is defined within: most requests of an open gateway have no limits,
-- and a definition costs Redis as much as a short command.
local function charge_limits()
-- include key_costs.lua
  -- When tokens of a second were charged last: they expire together, a minute after that. The field with a '+' has it.
  local function last_of(second)
    return tonumber(redis.call('HGET', KEYS[10], second .. '+') or '') or second + 1
  end

  -- Call `take` with each second that has tokens of the last minute, and with these. A busy key has 120 fields, which
  -- are read for each request: those with a '+' only where they decide.
  local function each_second(take)
    local all, edge = redis.call('HGETALL', KEYS[10]), now - MINUTE
    for i = 1, #all, 2 do
      local second = tonumber(all[i])
      local count = second and second % 1 == 0 and tonumber(all[i + 1])
      if count and (second > edge or last_of(second) > edge) then
        take(second, count)
      elseif count then
        redis.call('HDEL', KEYS[10], second, second .. '+')
      end
    end
  end

  -- Seconds until `needed` tokens of the minute have expired.
  local function until_gone(needed)
    local seconds, counts, gone = {}, {}, 0
    each_second(function(second, count) seconds[#seconds + 1], counts[second] = second, count end)
    table.sort(seconds)
    for _, second in ipairs(seconds) do
      gone = gone + counts[second]
      if gone >= needed then return last_of(second) + MINUTE - now end
    end
    return MINUTE
  end

  -- How many of KEYS are usage of a day.
  local function counted_days()
    return COSTED and (#KEYS - 12) / 2 or #KEYS - 11
  end

  -- Tokens of each day, from today backwards, as {whole, parts}.
  local function spent_days()
    local days = {}
    for i = 12, 11 + counted_days() do
      local counts = redis.call('HMGET', KEYS[i], 'input', 'output', 'estimated')
      local sum = (tonumber(counts[1] or 0) or 0) + (tonumber(counts[2] or 0) or 0)
        + (tonumber(counts[3] or 0) or 0)
      days[#days + 1] = {sum, 0}
    end
    return days
  end

  -- Money of each day, from today backwards, in millionths of a dollar; empty without a budget in money.
  local function cost_days()
    if not COSTED then return {} end
    local days, memo = {}, 12 + counted_days()
    for day in string.gmatch(ARGV[26], '%S+') do days[#days + 1] = day end
    return costs_of_days(KEYS[memo], memo + 1, days, ARGV[24], ARGV[25], ARGV[27])
  end

  -- Budgets: name, limit, number of days it counts.
  local function spans_of(unit, first)
    local spans = {}
    for n, length in ipairs({{'_day', 1}, {'_week', 7}, {'_month', tonumber(ARGV[18])}}) do
      spans[n] = {unit .. length[1], tonumber(ARGV[first + n - 1] or 0), length[2]}
    end
    return spans
  end
  local TOKENS, MONEY -- of a key with limits

  -- The sum of the latest days, in whole units.
  local function total(days, count)
    local whole, parts = 0, 0
    for i = 1, count do whole, parts = whole + days[i][1], parts + days[i][2] end
    return whole + math.floor(parts / MILLION)
  end

  -- What is spent of each budget; 0 for a budget that the key does not have.
  local function spent_of(spans, days)
    local spent = {0, 0, 0}
    for n, span in ipairs(spans) do
      if span[2] > 0 then spent[n] = total(days, span[3]) end
    end
    return spent
  end

  -- The spent budget and the number of days until something is left; or '' and the least left.
  local function budget(spans, days, spent)
    local least
    for n, span in ipairs(spans) do
      local limit, sum = span[2], spent[n]
      if limit > 0 then
        if sum >= limit then
          if n == 3 then return span[1], -1 end
          local wait = 0
          for i = span[3] - 1, 0, -1 do
            wait = wait + 1
            if total(days, i) < limit then break end
          end
          return span[1], wait
        end
        least = math.min(least or limit - sum, limit - sum)
      end
    end
    return '', 0, least
  end

  -- Estimated tokens and money of the exchanges under way.
  local function pending(streams)
    local tokens, money, match = 0, 0, string.match
    local places = redis.call('ZRANGE', streams, 0, -1)
    for i = 1, #places do
      -- 'request tokens' or 'request cost tokens', read from its begin: a key may have thousands.
      local first, second = match(places[i], '^[^ ]+ (%d+) ?(%d*)$')
      if first and second ~= '' then
        money, tokens = money + first, tokens + second
      elseif first then
        tokens = tokens + first
      end
    end
    return tokens, money
  end

  -- What the key has used: of its minute, and of its budgets.
  local function use_of_key()
    local requests = KEYS[9]
    redis.call('ZREMRANGEBYSCORE', requests, '-inf', now - MINUTE)
    local use = {tokens = 0}
    use.known = redis.call('ZSCORE', requests, ARGV[8])
    use.requests = redis.call('ZCARD', requests)
    local oldest = redis.call('ZRANGE', requests, 0, 0, 'WITHSCORES')[2]
    use.reset = oldest and tonumber(oldest) + MINUTE - now
    if tonumber(ARGV[11]) > 0 then
      each_second(function(second, count)
        use.tokens = use.tokens + count
        if not use.oldest or second < use.oldest then use.oldest = second end
      end)
      use.last = use.oldest and last_of(use.oldest)
    end
    use.days = spent_days()
    use.spent = spent_of(TOKENS, use.days)
    use.costs = cost_days()
    use.cost = spent_of(MONEY, use.costs)
    return use
  end

  -- The limit that refuses the request or '', seconds to wait, days until a budget has something left.
  local function refusal(use)
    local asked, rpm, tpm = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
    local concurrent, streams = tonumber(ARGV[12]), KEYS[11]
    if ARGV[13] ~= '' then
      redis.call('ZREMRANGEBYSCORE', streams, '-inf', now)
      if #use.days > 0 then
        local limit, wait, left = budget(TOKENS, use.days, use.spent)
        if limit ~= '' then return limit, 0, wait end
        local dear, dear_wait, money_left = budget(MONEY, use.costs, use.cost)
        if dear ~= '' then return dear, 0, dear_wait end
        local tokens, money = pending(streams)
        if (left and tokens >= left) or (money_left and money >= money_left) then return 'pending', 2, 0 end
      end
    end
    if rpm > 0 and use.requests >= rpm then return 'rpm', use.reset or 0, 0 end
    if tpm > 0 and use.tokens + asked > tpm then
      return 'tpm', until_gone(use.tokens + asked - tpm), 0
    end
    if concurrent > 0 and redis.call('ZCARD', streams) >= concurrent then
      return 'concurrent', 1, 0
    end
    return '', 0, 0
  end

  -- Charge a request that no limit refuses.
  local function charge_request(use)
    local requests, tokens, streams, permit = KEYS[9], KEYS[10], KEYS[11], ARGV[13]
    local asked = tonumber(ARGV[9])
    if tonumber(ARGV[11]) > 0 then
      local second = math.floor(now)
      redis.call('HINCRBY', tokens, second, asked) -- the only write that a value may refuse is the first
      redis.call('HSET', tokens, second .. '+', string.format('%.6f', now))
      redis.call('EXPIRE', tokens, KEPT)
      use.tokens = use.tokens + asked
      if not use.oldest or use.oldest == second then use.last = now end
    end
    redis.call('ZADD', requests, now, ARGV[8])
    redis.call('EXPIRE', requests, KEPT)
    use.requests, use.reset = use.requests + 1, use.reset or MINUTE
    if permit ~= '' then
      redis.call('ZADD', streams, now + ARGV[14], permit)
      redis.call('EXPIRE', streams, KEPT)
    end
  end

  local today = now >= tonumber(ARGV[19]) and now < tonumber(ARGV[20])
  if keys_version ~= tonumber(ARGV[7]) or not today then
    return {'changed', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
  end
  TOKENS, MONEY = spans_of('tokens', 15), spans_of('micro_usd', 21)
  local use = use_of_key()
  local limit, wait, midnights = '', 0, 0
  if not use.known then
    limit, wait, midnights = refusal(use)
    if limit == '' then charge_request(use) end
  end
  local function ms(seconds) return math.ceil(seconds * 1000) end
  local first = use.last and use.last + MINUTE - now or 0
  local requests_left = math.max(0, tonumber(ARGV[10]) - use.requests)
  local tokens_left = math.max(0, tonumber(ARGV[11]) - use.tokens)
  return {
    limit, ms(wait), requests_left, ms(use.reset or 0), tokens_left, ms(first), midnights,
    use.spent[1], use.spent[2], use.spent[3], use.cost[1], use.cost[2], use.cost[3],
  }
end

-- Use of a scarce pool by key: 'used last-request-time last-request', or '-since' in place of the request
-- while it is refused. A key may be ahead of the active key with the least use by a bound; a key that is
-- new, comes back, or was refused for long enough starts with that least use.
local function claim()
  local key, id, charge, ahead, active, patience =
    string.match(ARGV[5], '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
  local all = redis.call('HGETALL', KEYS[6])
  local had, since, least, others = nil, now, nil, {}
  for i = 1, #all, 2 do
    local spent, last, request = string.match(all[i + 1], '^(%S+) (%S+) (%S+)$')
    spent, last = tonumber(spent or ''), tonumber(last or '')
    if all[i] == key and request == id then return 0 end
    if not spent or not last then -- cannot be parsed: the key counts as new
      redis.call('HDEL', KEYS[6], all[i])
    elseif last < now - active then
      redis.call('HDEL', KEYS[6], all[i])
    elseif all[i] == key then
      had, since = spent, tonumber(string.match(request, '^%-(.+)$') or now)
    else
      least = math.min(least or spent, spent)
      others[#others + 1] = {spent, last}
    end
  end
  if since + patience <= now then had = least end
  had = had or least or 0
  local wait = 0
  for _, other in ipairs(others) do
    if other[1] + ahead < had then wait = math.max(wait, other[2] + active - now) end
  end
  local function note(spent, request)
    redis.call('HSET', KEYS[6], key, string.format('%.3f %.3f %s', spent, now, request))
    redis.call('EXPIRE', KEYS[6], active * 2)
  end
  if wait > 0 then
    note(had, string.format('-%.3f', since))
    return math.ceil(math.min(wait, since + patience - now) * 1000)
  end
  return 0, function() note(had + charge, id) end
end

local function refused(limits, share)
  return {
    tonumber(time[1]), tonumber(time[2]), accounts_version, keys_version,
    -1, '', '', false, limits, share, quotas,
  }
end

local share, charge_share, limits = -1, nil, {}
if ARGV[5] ~= '' then
  share, charge_share = claim()
  if share > 0 then return refused({}, share) end
end
if ARGV[7] then
  limits = charge_limits()
  if limits[1] ~= '' then return refused(limits, -1) end
end
if charge_share then charge_share() end

-- End of a cooldown; nil if it cannot be parsed: the reader skips it, and it stays.
local function ends_of(json)
  local read, cooldown = pcall(cjson.decode, json)
  return read and type(cooldown) == 'table' and tonumber(cooldown['until']) or nil
end

local function is_cooling(id)
  for _, json in ipairs(redis.call('HMGET', KEYS[4], id, id .. ':' .. ARGV[1])) do
    local ends = json and ends_of(json)
    if ends and ends > now then return true end
  end
  return false
end

local function may_stay(id)
  local sign = string.sub(ARGV[3], 1, 1)
  if sign == '' then return true end
  local named = string.find(ARGV[3], ' ' .. id .. ' ', 1, true) ~= nil
  return named == (sign == '+')
end

local version, cooling = (values[5] or 0) .. ' ' .. (values[1] or 0), nil
if version ~= ARGV[4] then
  cooling = redis.call('HGETALL', KEYS[4])
  for i = 1, #cooling, 2 do
    local ends = ends_of(cooling[i + 1])
    if ends and ends <= now then redis.call('HDEL', KEYS[4], cooling[i]) end
  end
end
local tie = ARGV[2] ~= '0' and values[4] or ''
local affine, cursor = (string.gsub(tie, '^~', '')), -1
if affine ~= '' and may_stay(affine) and not is_cooling(affine) then
  redis.call('EXPIRE', KEYS[5], ARGV[2])
else
  tie = ''
  cursor = redis.call('INCR', KEYS[3])
end
return {
  tonumber(time[1]), tonumber(time[2]), accounts_version, keys_version,
  cursor, tie, version, cooling or false, limits, share, quotas,
}
