-- Tie conversations to accounts; a tie of another type is replaced.
-- KEYS the ties; ARGV seconds they are kept, '~' to tie tentatively only those without a tie or '', accounts
for i, key in ipairs(KEYS) do
  if ARGV[2] == '' then
    redis.call('SET', key, ARGV[i + 2], 'EX', ARGV[1])
  else
    redis.call('SET', key, ARGV[2] .. ARGV[i + 2], 'EX', ARGV[1], 'NX')
  end
end
return #KEYS
