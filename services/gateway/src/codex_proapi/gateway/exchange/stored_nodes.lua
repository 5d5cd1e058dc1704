-- Functions of the scripts that change stored responses.
-- KEYS all responses by time, sums of bytes, …; ARGV prefix of all keys, …
-- A key's nodes are one hash: `node:<id>` its JSON, `data:<id>` the sealed items, `item:<item>` the node
-- that holds an item. A node is a part of a history or a response, and needs its parent. `refs` counts
-- the children and the response that need it; it goes with the last of them and lets its parent go.
local by_time, sums, prefix = KEYS[1], KEYS[2], ARGV[1]

local function nodes_of(key) return prefix .. 'stored:' .. key end
local function times_of(key) return prefix .. 'stored-times:' .. key end

local function sum(of) return tonumber(redis.call('HGET', sums, of)) or 0 end
local function count(of, bytes) redis.call('HSET', sums, of, math.max(0, sum(of) + bytes)) end

-- nil where there is none, or one that cannot be read
local function read(nodes, id)
  local decoded, node = pcall(cjson.decode, redis.call('HGET', nodes, 'node:' .. id) or '')
  local sound = decoded and type(node) == 'table' and type(node.parent) == 'string' and type(node.items) == 'table'
  for _, field in ipairs({'refs', 'size', 'depth', 'chain'}) do sound = sound and type(node[field]) == 'number' end
  return sound and node or nil
end

local function write(nodes, id, node) redis.call('HSET', nodes, 'node:' .. id, cjson.encode(node)) end

-- Remove a node and the ancestors that nothing else needs; gives their bytes.
local function release(nodes, id)
  local node, freed = read(nodes, id), 0
  redis.call('HDEL', nodes, 'data:' .. id, 'node:' .. id)
  while node do
    freed = freed + node.size
    for _, item in ipairs(node.items) do
      if redis.call('HGET', nodes, 'item:' .. item) == id then redis.call('HDEL', nodes, 'item:' .. item) end
    end
    redis.call('HDEL', nodes, 'data:' .. id, 'node:' .. id)
    id = node.parent
    node = read(nodes, id)
    if node and node.refs > 1 then
      node.refs = node.refs - 1
      write(nodes, id, node)
      break
    end
  end
  return freed
end

-- Remove a response; with the last one of its key its sum is exact again, whatever was lost before.
local function drop(key, response)
  local sound, freed = pcall(release, nodes_of(key), 'response:' .. response)
  redis.pcall('ZREM', times_of(key), response)
  redis.call('ZREM', by_time, key .. ' ' .. response)
  if not sound or (tonumber(redis.pcall('ZCARD', times_of(key))) or 0) == 0 then
    redis.call('DEL', nodes_of(key), times_of(key))
    freed = sum('key:' .. key)
  end
  count('key:' .. key, -freed)
  count('all', -freed)
  if sum('key:' .. key) == 0 then redis.call('HDEL', sums, 'key:' .. key) end
end

-- Remove responses by their members `key response`.
local function drop_members(members)
  for _, member in ipairs(members) do
    local key, response = string.match(member, '^(%S*) (.*)$')
    if key then drop(key, response) else redis.call('ZREM', by_time, member) end
  end
end
