-- Find a response with the history before it.
-- KEYS the key's nodes, the response as earlier versions kept it; ARGV its node, most nodes
-- Gives the sealed parts, the first of the history first; nothing where one of them is missing.
local found, id = {}, ARGV[1]
while id ~= '' do
  local node, sealed = unpack(redis.call('HMGET', KEYS[1], 'node:' .. id, 'data:' .. id))
  local decoded, read = pcall(cjson.decode, node or '')
  if not decoded or type(read) ~= 'table' or type(read.parent) ~= 'string' or not sealed then break end
  if #found == tonumber(ARGV[2]) then break end
  table.insert(found, 1, sealed)
  id = read.parent
end
if id == '' then return found end
if id ~= ARGV[1] then return {} end
return {redis.call('GET', KEYS[2]) or nil}
