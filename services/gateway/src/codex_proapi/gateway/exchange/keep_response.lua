-- Keep a response within the budgets of bytes, and let the oldest go: of its key, then of all.
-- KEYS responses of the key, response, stored responses by time, their sizes, pointers of its items
-- ARGV response id, sealed items, time, seconds, most responses of a key, key id, most bytes of a key,
--      most bytes of all, prefix of all keys, bytes of a pointer beside its id, item ids in the order
--      of the pointers
-- Sizes: by 'key response' its bytes (sealed items and pointers) and its items; '+key:…' and '+' are
-- the sums of a key and of all.
-- Gives 1, or 0 where it is not kept: it alone is beyond a budget, or Redis is nearly full.
local id, sealed, time, seconds, key = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[6]
local most_of_key, most_of_all, prefix = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
local items = {unpack(ARGV, 11)}
-- A conversation of many small items is mostly pointers; an id stands in its pointer and in the sizes.
local size = #sealed
for _, item in ipairs(items) do size = size + tonumber(ARGV[10]) + 2 * #item end

local function drop(member)
  local whose, response = string.match(member, '^(%S*) (.*)$')
  local bytes, held = string.match(redis.call('HGET', KEYS[4], member) or '', '^(%d+) ?(.*)$')
  if bytes then
    redis.call('HINCRBY', KEYS[4], '+key:' .. whose, -bytes)
    redis.call('HINCRBY', KEYS[4], '+', -bytes)
    for item in string.gmatch(held, '%S+') do
      local pointer = prefix .. 'response-item:' .. whose .. ':' .. item
      if redis.call('GET', pointer) == response then redis.call('DEL', pointer) end
    end
  end
  redis.call('DEL', prefix .. 'response:' .. whose .. ':' .. response)
  redis.call('ZREM', prefix .. 'responses:' .. whose, response)
  redis.call('ZREM', KEYS[3], member)
  redis.call('HDEL', KEYS[4], member)
end

local function sum(of) return tonumber(redis.call('HGET', KEYS[4], of) or 0) or 0 end

local function nearly_full()
  local told, info = pcall(redis.call, 'INFO', 'memory')
  if not told then return false end
  local used = tonumber(string.match(info, 'used_memory:(%d+)') or 0)
  local most = tonumber(string.match(info, 'maxmemory:(%d+)') or 0)
  return most > 0 and used + size > most * 0.8
end

for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', time - seconds)) do drop(member) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time - seconds)
if size > most_of_key or size > most_of_all or nearly_full() then return 0 end
if redis.call('HEXISTS', KEYS[4], key .. ' ' .. id) == 1 then drop(key .. ' ' .. id) end
local own = redis.call('ZRANGE', KEYS[1], 0, -1)
local left = #own
for _, old in ipairs(own) do
  if left < tonumber(ARGV[5]) and sum('+key:' .. key) + size <= most_of_key then break end
  drop(key .. ' ' .. old)
  left = left - 1
end
while sum('+') + size > most_of_all do
  local oldest = redis.call('ZRANGE', KEYS[3], 0, 0)[1]
  if not oldest then break end
  drop(oldest)
end

redis.call('SET', KEYS[2], sealed, 'EX', seconds)
for i = 5, #KEYS do redis.call('SET', KEYS[i], id, 'EX', seconds) end
redis.call('ZADD', KEYS[1], time, id)
redis.call('ZADD', KEYS[3], time, key .. ' ' .. id)
redis.call('HSET', KEYS[4], key .. ' ' .. id, size .. ' ' .. table.concat(items, ' '))
redis.call('HINCRBY', KEYS[4], '+key:' .. key, size)
redis.call('HINCRBY', KEYS[4], '+', size)
for _, name in ipairs({KEYS[1], KEYS[3], KEYS[4]}) do redis.call('EXPIRE', name, seconds) end
return 1
