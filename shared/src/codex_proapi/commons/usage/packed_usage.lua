-- Counters as one text: in the order of their names, with blanks between; shared by other scripts.
-- A counter is added to the end of the order only; a text of another version may be longer or shorter.
local ROUNDED = 1e14 -- from which on a number of Lua loses digits where it becomes text by itself

-- A count as it is kept; 0 for none, or for what is no number.
local function count_of(value)
  return string.format('%.0f', tonumber(value or 0) or 0)
end

-- The sum of a text of counters, false or nil if there is none yet, and another.
local function sum_packed(held, text)
  if not held then return text end
  local counts, i = {}, 0
  for each in string.gmatch(held, '%S+') do counts[#counts + 1] = tonumber(each) or 0 end
  for each in string.gmatch(text, '%S+') do
    i = i + 1
    counts[i] = (counts[i] or 0) + tonumber(each)
  end
  for n, each in ipairs(counts) do
    if each >= ROUNDED then counts[n] = string.format('%.0f', each) end
  end
  return table.concat(counts, ' ')
end

-- The counters of a hash, nil if there are none; raises for another type.
local function packed(key, names)
  local values = redis.call('HMGET', key, unpack(names))
  local found = false
  for i = 1, #names do
    found = found or values[i]
    values[i] = count_of(values[i])
  end
  return found and table.concat(values, ' ') or nil
end

-- The counters of a hash with fields `model counter`, by model; raises for another type.
local function packed_models(key, names)
  local order, counts, models = {}, {}, {}
  for i, name in ipairs(names) do order[name] = i end
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local model, name = string.match(all[i], '^(.*) (%S+)$')
    if model and order[name] then
      counts[model] = counts[model] or {}
      counts[model][order[name]] = count_of(all[i + 1])
    end
  end
  for model, each in pairs(counts) do
    for i = 1, #names do each[i] = each[i] or '0' end
    models[model] = table.concat(each, ' ')
  end
  return models
end
