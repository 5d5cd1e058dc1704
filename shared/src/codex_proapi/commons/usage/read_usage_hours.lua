-- Read the hours of many hashes at once.
-- KEYS hashes
-- ARGV 'models' where the fields of hours are `model h<quarters>`, else 'one': `h<quarters>`
-- Gives for each hash {quarters since the epoch, model or '', packed counters, …}, '!' if it is none.
local found = {}
for i, key in ipairs(KEYS) do
  local all = redis.pcall('HGETALL', key)
  if all.err then
    found[i] = '!'
  else
    local flat = {}
    for n = 1, #all, 2 do
      local model, quarters = '', string.match(all[n], '^h(%d+)$')
      if ARGV[1] == 'models' then model, quarters = string.match(all[n], '^(.*) h(%d+)$') end
      if quarters then
        flat[#flat + 1], flat[#flat + 2], flat[#flat + 3] = quarters, model, all[n + 1]
      end
    end
    found[i] = flat
  end
end
return found
