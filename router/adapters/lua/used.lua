-- ARGV[3]: now, then for each limit: window, bucket, length in seconds (0: concurrency). Returns what each holds.
if lost() then return {"lost"} end
local found = {}
for number = 4, #ARGV, 3 do
  local limit, bucket, window_s = ARGV[number], tonumber(ARGV[number + 1]), tonumber(ARGV[number + 2])
  local held = 0
  if window_s == 0 then
    for _, member in ipairs(redis.call("ZRANGEBYSCORE", permits_key(limit), "(" .. ARGV[3], "+inf")) do
      held = held + tonumber(string.match(member, "\t(%d+)$"))
    end
  else
    local counts, newest = counts_of(limit, bucket, window_s)
    local _
    _, held = room_of(counts, newest, bucket)
  end
  found[#found + 1] = whole(held)
end
return {"done", found}
