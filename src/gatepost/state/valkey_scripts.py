"""The operations of a shared state as Lua scripts: each runs whole or not at all, on the server's own clock."""

from __future__ import annotations

from typing import Final

# KEYS: bucket. ARGV: rate, burst, count, count_min. Gives: granted, left, microseconds until there is a token or -1.
TAKE_TOKENS: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local held = redis.call('HMGET', KEYS[1], 'n', 't', 'b', 'r')
local tokens = tonumber(held[1])
if tokens == nil then
  tokens = burst
else
  local before = tonumber(held[3])
  local passed = math.max(0, now - tonumber(held[2]))
  tokens = math.min(before, tokens + passed * tonumber(held[4]) / 1000000)
  if burst ~= before then
    tokens = math.min(burst, tokens + math.max(0, burst - before))
  end
end
local granted = math.min(tonumber(ARGV[3]), math.floor(tokens))
if granted < tonumber(ARGV[4]) then granted = 0 end
tokens = tokens - granted
redis.call('HSET', KEYS[1], 'n', string.format('%.17g', tokens), 't', string.format('%.0f', now),
  'b', ARGV[2], 'r', ARGV[1])
local wait, full = -1, 2592000000
if rate > 0 then
  full = math.min(full, (burst - tokens) / rate * 1000 + 1000)
  if burst >= 1 then wait = math.max(0, math.ceil((1 - tokens) / rate * 1000000)) end
end
redis.call('PEXPIRE', KEYS[1], math.ceil(full))
return {granted, math.floor(tokens), wait}
"""

# KEYS: bucket. ARGV: count, burst.
GIVE_BACK_TOKENS: Final = """
local tokens = redis.call('HGET', KEYS[1], 'n')
if tokens then
  local whole = math.min(tonumber(ARGV[2]), tonumber(tokens) + tonumber(ARGV[1]))
  redis.call('HSET', KEYS[1], 'n', string.format('%.17g', whole))
end
return 0
"""

# KEYS: counter. ARGV: count, limit, expires at ms, at least. Gives: granted, used.
ADD_TO_QUOTA: Final = """
local used = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), tonumber(ARGV[4]))
local count = tonumber(ARGV[1])
local granted
if count >= 0 then
  granted = math.max(0, math.min(count, tonumber(ARGV[2]) - used))
else
  granted = -math.min(-count, used)
end
redis.call('SET', KEYS[1], string.format('%.0f', used + granted), 'PXAT', ARGV[3])
return {granted, used + granted}
"""

# KEYS: name. ARGV: owner, milliseconds.
CLAIM: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

# KEYS: name. ARGV: owner.
RELEASE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""

# KEYS: name. ARGV: owner, count, limit, milliseconds. A hash of owner to "count expiry". Gives: how many are held.
HOLD: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local free, last = tonumber(ARGV[3]), now + ARGV[4]
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local count, expires = string.match(all[i + 1], '(%d+) (%d+)')
  if tonumber(expires) <= now then
    redis.call('HDEL', KEYS[1], all[i])
  elseif all[i] ~= ARGV[1] then
    free = free - count
    last = math.max(last, tonumber(expires))
  end
end
local granted = math.max(0, math.min(tonumber(ARGV[2]), free))
if granted > 0 then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %.0f', granted, now + ARGV[4]))
else
  redis.call('HDEL', KEYS[1], ARGV[1])
end
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', last))
return granted
"""

# A space is a generation, which is part of its values' names: forgetting all is another generation. One that was lost
# (a server that evicts) is replaced by a new one, so that no old value comes back.
_GENERATION: Final = """
local generation = redis.call('GET', KEYS[1])
if not generation then
  local time = redis.call('TIME')
  generation = time[1] .. '.' .. time[2]
  redis.call('SET', KEYS[1], generation)
end
local entry = KEYS[1] .. ':' .. generation .. ':' .. ARGV[1]
"""

# KEYS: space. ARGV: key, value, milliseconds, the space's bound (which a server leaves to its `maxmemory`).
REMEMBER: Final = _GENERATION + "redis.call('SET', entry, ARGV[2], 'PX', ARGV[3]) return 0"
# KEYS: space. ARGV: key.
RECALL: Final = _GENERATION + "return redis.call('GET', entry)"
FORGET: Final = _GENERATION + "return redis.call('DEL', entry)"
# KEYS: space.
FORGET_ALL: Final = """
local time = redis.call('TIME')
local generation = time[1] .. '.' .. time[2]
if redis.call('GET', KEYS[1]) == generation then generation = generation .. '+' end
redis.call('SET', KEYS[1], generation)
return 0
"""

ALL: Final = (
    TAKE_TOKENS,
    GIVE_BACK_TOKENS,
    ADD_TO_QUOTA,
    CLAIM,
    RELEASE,
    HOLD,
    REMEMBER,
    RECALL,
    FORGET,
    FORGET_ALL,
)
