-- Keep a response, then remove the oldest ones until all limits hold.
-- KEYS all responses by time, sums of bytes, the key's responses by time, its nodes
-- ARGV prefix of all keys, key id, response id, time, seconds, limits as JSON, then for each new node,
--      parents first: its id, JSON {parent, items}, its sealed items
-- Gives 1; 0 where it is not kept: beyond a limit, or Redis is nearly full; -1 if its parent is gone.
-- include stored_nodes.lua
local key, response, time, most = ARGV[2], ARGV[3], tonumber(ARGV[4]), cjson.decode(ARGV[6])
local times, nodes = KEYS[3], KEYS[4]

local function nearly_full(more)
  local known, info = pcall(redis.call, 'INFO', 'memory')
  if not known then return false end
  local used = tonumber(string.match(info, 'used_memory:(%d+)') or 0)
  local limit = tonumber(string.match(info, 'maxmemory:(%d+)') or 0)
  return limit > 0 and used + more > limit * 0.8
end

redis.call('HLEN', sums) -- a wrong type fails before anything is written
redis.call('HLEN', nodes)
redis.call('ZCARD', times)
drop_members(redis.call('ZRANGEBYSCORE', by_time, '-inf', time - tonumber(ARGV[5])))
if redis.call('ZSCORE', times, response) then return 1 end

local added, bytes, chain = {}, 0, 0
for i = 7, #ARGV, 3 do
  local id, node = ARGV[i], cjson.decode(ARGV[i + 1])
  local last = added[#added]
  local parent = last and last.node or read(nodes, node.parent)
  if node.parent ~= '' and not parent then return -1 end
  if not read(nodes, id) then
    node.size, node.refs = most.node + #ARGV[i + 2], 1
    for _, item in ipairs(node.items) do node.size = node.size + most.pointer + 2 * #item end
    node.depth, node.chain = 1 + (parent and parent.depth or 0), node.size + (parent and parent.chain or 0)
    bytes, chain = bytes + node.size, node.chain
    added[#added + 1] = {id = id, node = node, sealed = ARGV[i + 2]}
  end
end
if chain > math.min(most.chain, most.key, most.all) or nearly_full(bytes) then return 0 end

local parent = read(nodes, added[1].node.parent)
if parent then
  parent.refs = parent.refs + 1
  write(nodes, added[1].node.parent, parent)
end
for _, each in ipairs(added) do
  write(nodes, each.id, each.node)
  redis.call('HSET', nodes, 'data:' .. each.id, each.sealed)
  for _, item in ipairs(each.node.items) do redis.call('HSET', nodes, 'item:' .. item, each.id) end
end
redis.call('ZADD', times, time, response)
redis.call('ZADD', by_time, time, key .. ' ' .. response)
count('key:' .. key, bytes)
count('all', bytes)
for _, name in ipairs(KEYS) do redis.call('EXPIRE', name, ARGV[5]) end

while redis.call('ZCARD', times) > most.responses or sum('key:' .. key) > most.key do
  drop(key, redis.call('ZRANGE', times, 0, 0)[1])
end
while sum('all') > most.all and redis.call('ZCARD', by_time) > 0 do
  drop_members(redis.call('ZRANGE', by_time, 0, 0))
end
return redis.call('ZSCORE', times, response) and 1 or 0
