-- What a key's tokens cost at list prices, day by day and exactly: {whole millionths of a dollar, millionths of those}.
-- Prices are text, '\nmodel input cached cache-write output\n…', in millionths of a dollar for a million tokens;
-- a model without a price costs nothing. Whole numbers stay below 2^53 up to 9e9 tokens of a kind and day.
local MILLION = 1000000
local LATE_DAYS = 2 -- of today and yesterday more may be counted at any time

local function price_in(prices, model)
  local _, at = string.find(prices, '\n' .. model .. ' ', 1, true)
  if not at then
    local plain = string.match(model, '^(.*)%-%d%d%d%d%-%d%d%-%d%d$') -- a dated snapshot of it
    if plain then _, at = string.find(prices, '\n' .. plain .. ' ', 1, true) end
  end
  if not at then return nil end
  local input, cached, written, output = string.match(prices, '^(%d+) (%d+) (%d+) (%d+)', at + 1)
  return tonumber(input), tonumber(cached), tonumber(written), tonumber(output)
end

local function add_cost(cost, tokens, price)
  local parts = cost[2] + tokens * (price % MILLION)
  cost[1] = cost[1] + tokens * math.floor(price / MILLION) + math.floor(parts / MILLION)
  cost[2] = parts % MILLION
end

-- As `prices.token_costs.cost_of`: cached and written tokens are parts of the input.
local function cost_of_models(models, prices)
  local cost = {0, 0}
  for model, counts in pairs(models) do
    local input, cached, written, output = price_in(prices, model)
    if input then
      local read = math.min(counts.cached or 0, counts.input or 0)
      local wrote = math.min(counts.cache_write or 0, (counts.input or 0) - read)
      add_cost(cost, (counts.input or 0) - read - wrote, input)
      add_cost(cost, read, cached)
      add_cost(cost, wrote, written)
      add_cost(cost, counts.output or 0, output)
    end
  end
  return cost
end

local NINE = string.byte('9')
local PRICED = {input = true, cached = true, cache_write = true, output = true}

local function cost_of_day(counters, prices)
  local models, all = {}, redis.pcall('HGETALL', counters)
  if all.err then return {0, 0} end
  for i = 1, #all, 2 do
    local model, counter
    if string.byte(all[i], -1) > NINE then -- not those of an hour, which end with its number
      model, counter = string.match(all[i], '^(.+) ([%a_]+)$')
    end
    if counter and PRICED[counter] then
      models[model] = models[model] or {}
      models[model][counter] = math.max(0, tonumber(all[i + 1]) or 0)
    end
  end
  return cost_of_models(models, prices)
end

-- Costs of days, from today backwards; those of earlier days are remembered for these prices.
local function costs_of_days(memo, first, days, prices, version, seconds)
  local known = redis.pcall('HMGET', memo, unpack(days))
  if known.err then known = {} end
  local costs, made = {}, {}
  for i, day in ipairs(days) do
    local of, whole, parts = string.match(i > LATE_DAYS and known[i] or '', '^(%S+) (%d+) (%d+)$')
    if of == version then
      costs[i] = {tonumber(whole), tonumber(parts)}
    else
      costs[i] = cost_of_day(KEYS[first + i - 1], prices)
      if i > LATE_DAYS then
        made[#made + 1] = day
        made[#made + 1] = string.format('%s %.0f %.0f', version, costs[i][1], costs[i][2])
      end
    end
  end
  if #made > 0 then
    local begun = redis.call('EXISTS', memo) == 0
    redis.pcall('HSET', memo, unpack(made))
    if begun then redis.pcall('EXPIRE', memo, seconds) end
  end
  return costs
end
