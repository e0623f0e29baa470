-- Give up what was lost, knowingly: the epoch ARGV[1] ("" for one that knows none) and all that were missed since; ARGV[2] says
-- who did, why and when, ARGV[3] is a fresh epoch, for where the state is an older copy of itself.
local META, ACCEPTED, MISSED = KEYS[1] .. ":meta", KEYS[1] .. ":accepted", KEYS[1] .. ":missed"
local given_up = redis.call("SMEMBERS", MISSED)
if ARGV[1] ~= "" then given_up[#given_up + 1] = ARGV[1] end
local epoch = redis.call("HGET", META, "epoch")
if redis.call("HDEL", META, "closed") == 1 then given_up[#given_up + 1] = epoch end
for _, each in ipairs(given_up) do
  redis.call("SADD", ACCEPTED, each)
  if each == epoch then redis.call("HSET", META, "epoch", ARGV[3]) end
end
redis.call("DEL", MISSED)
redis.call("RPUSH", KEYS[1] .. ":losses", ARGV[2])
return redis.call("HMGET", META, "epoch", "seq")
