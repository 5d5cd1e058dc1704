-- Store an account under its identity: a new one, or a repeated login, which keeps the owner's settings.
-- KEYS accounts, accounts-version, account, credential, cooldowns, faults, refresh-pause,
--      refused-grant of its refresh token (removed: an administrator's import is tried again), owners
-- ARGV JSON: id, sealed, token (digest of its refresh token or ''), ends (its access token),
--      opens (whether the credential we have can be opened), and fields of the account as texts:
--      always, login (its state), once (for a new account); of an owner's login also owner, terms
--      (with the consent) and known_terms, those they were made from ('' is none)
-- Returns the generation of the login, 0 if it changed nothing; -1 if the account is another owner's or
-- there is no such owner, -2 if its terms are not the known ones any more: then nothing has changed.
-- A refresh token that was spent is ignored, and the present one only brings a later access token: an old
-- file imported again must not replace its successor. Generations only grow.
local new = cjson.decode(ARGV[1])
local stored = redis.call('HMGET', KEYS[4], 'generation', 'token', 'spent')
local ends = tonumber(redis.call('HGET', KEYS[3], 'token_expires_at') or '0') or 0
local known = new.opens and new.token ~= ''
local spent = known and stored[3] and string.find(stored[3], new.token, 1, true)
local same = known and stored[2] == new.token and new.ends <= ends

if new.owner then
  local held = redis.call('HMGET', KEYS[3], 'owner', 'terms')
  local owner = held[1] or ''
  if redis.call('HEXISTS', KEYS[9], new.owner) == 0 then return -1 end
  if owner ~= '' and owner ~= new.owner and redis.call('HEXISTS', KEYS[9], owner) == 1 then return -1 end
  if (held[2] or '') ~= new.known_terms then return -2 end
  new.always.owner, new.always.terms = new.owner, new.terms
end

local function set(fields)
  for name, value in pairs(fields) do redis.call('HSET', KEYS[3], name, value) end
end

-- Reads raise for a wrong type before anything is written; the version counts first, as one too many harms nobody.
local cooling = redis.call('HKEYS', KEYS[5])
redis.call('SCARD', KEYS[1])
local version = redis.call('INCR', KEYS[2])
redis.call('SADD', KEYS[1], new.id)
set(new.always)
for name, value in pairs(new.once) do redis.call('HSETNX', KEYS[3], name, value) end
if spent then return 0 end
set(new.login)
redis.call('DEL', KEYS[6], KEYS[7], KEYS[8])
for _, field in ipairs(cooling) do
  if field == new.id or string.sub(field, 1, #new.id + 1) == new.id .. ':' then
    redis.call('HDEL', KEYS[5], field)
  end
end
if same then return 0 end
redis.call('HSET', KEYS[3], 'token_expires_at', new.ends)
local generation = stored[1] and tonumber(stored[1]) + 1 or version
redis.call('HSET', KEYS[4], 'generation', generation, 'sealed', new.sealed, 'token', new.token)
return generation
