-- Append an entry to the log, which is then about as long as the settings say.
-- KEYS logs, settings; ARGV entry, usual, least and greatest length
-- Gives the id of the entry.
-- include log_length.lua
local length = log_length(KEYS[2], ARGV[2], ARGV[3], ARGV[4])
return redis.call('XADD', KEYS[1], 'MAXLEN', '~', length, '*', 'entry', ARGV[1])
