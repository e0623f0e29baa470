-- Begin a state where there is none: ARGV[1] is a fresh epoch, ARGV[2] the version of this layout, ARGV[3] the epoch that
-- the caller remembers ("" for none). Returns {epoch, seq, version, whether the caller's epoch was given up knowingly}.
local META = KEYS[1] .. ":meta"
if redis.call("HSETNX", META, "epoch", ARGV[1]) == 1 then
  redis.call("HSET", META, "seq", "0", "version", ARGV[2])
end
local found = redis.call("HMGET", META, "epoch", "seq", "version")
local accepted = ARGV[3] ~= "" and redis.call("SISMEMBER", KEYS[1] .. ":accepted", ARGV[3]) or 0
return {found[1], found[2], found[3], accepted}
