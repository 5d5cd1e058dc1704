-- How many entries the log keeps: as the settings say, else the default; shared by what appends to it.
-- The writer does not have to know it: a process that has not read the settings yet would cut the log.
local function log_length(settings, usual, least, most)
  local value = redis.pcall('HGET', settings, 'log_entries')
  local count = type(value) == 'string' and tonumber(value) or nil
  if not count then return usual end
  return string.format('%.0f', math.min(tonumber(most), math.max(tonumber(least), count)))
end
