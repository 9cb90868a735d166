-- Sends the requests of a file again and again, and tells the figures as one line of JSON.
-- The file: for each request a line with its length in bytes, then its bytes. With several files each thread, which
-- has connections of its own, takes the next file: what a caller says of itself stays the same on a connection.
local requests, count, turn = {}, 0, 0
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  local file = assert(io.open(args[number % #args + 1], "rb"))
  while true do
    local length = file:read("*l")
    if not length then break end
    count = count + 1
    requests[count] = file:read(tonumber(length))
  end
  file:close()
end

function request()
  turn = turn + 1
  if turn > count then turn = 1 end
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    'FIGURES {"requests":%d,"seconds":%.6f,"p50_us":%d,"p99_us":%d,"refused":%d,"broken":%d,"late":%d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end
