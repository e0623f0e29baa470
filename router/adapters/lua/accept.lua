-- Give up the rows of the epoch ARGV[1], knowingly: ARGV[2] says who did, why and when.
redis.call("SADD", KEYS[1] .. ":accepted", ARGV[1])
redis.call("RPUSH", KEYS[1] .. ":losses", ARGV[2])
return redis.call("HMGET", KEYS[1] .. ":meta", "epoch", "seq")
