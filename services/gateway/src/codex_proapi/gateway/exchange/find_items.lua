-- Find what holds some items: each node once, and what earlier versions kept.
-- KEYS the key's nodes, then the pointers of earlier versions, one for each item
-- ARGV prefix of the key's responses of earlier versions, most bytes to give, items
-- Gives {sealed items, …}; what is beyond the bytes is left out.
local found, seen, bytes = {}, {}, 0
for i = 3, #ARGV do
  local id, sealed = redis.call('HGET', KEYS[1], 'item:' .. ARGV[i]), nil
  if not id then id = redis.call('GET', KEYS[i - 1]) end
  if id and not seen[id] then
    seen[id] = true
    sealed = redis.call('HGET', KEYS[1], 'data:' .. id) or redis.call('GET', ARGV[1] .. id)
    if sealed and bytes + #sealed <= tonumber(ARGV[2]) then
      bytes = bytes + #sealed
      found[#found + 1] = sealed
    end
  end
end
return found
