-- Find the responses that hold some items, each once.
-- KEYS pointers of the items; ARGV prefix of the key's response keys, most bytes to give
-- Gives {sealed items, …}; what is beyond the bytes is left out.
local found, seen, bytes = {}, {}, 0
for _, pointer in ipairs(KEYS) do
  local id = redis.call('GET', pointer) or ''
  if id ~= '' and not seen[id] then
    seen[id] = true
    local sealed = redis.call('GET', ARGV[1] .. id)
    if sealed and bytes + #sealed <= tonumber(ARGV[2]) then
      bytes = bytes + #sealed
      found[#found + 1] = sealed
    end
  end
end
return found
