-- Find the longest history that is kept.
-- KEYS the key's nodes; ARGV most nodes in a row, ids of histories, the longest first
-- Gives its place among the ids, from 1; 0 where none is kept, or it has too many nodes to build on.
for i = 2, #ARGV do
  local decoded, node = pcall(cjson.decode, redis.call('HGET', KEYS[1], 'node:' .. ARGV[i]) or '')
  if decoded and type(node) == 'table' and type(node.depth) == 'number' then
    return node.depth < tonumber(ARGV[1]) and i - 1 or 0
  end
end
return 0
