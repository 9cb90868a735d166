"""nginx with Lua as an API gateway with policies: API keys, limits and a cache; tokens of a user pool.

Written as a good nginx engineer would: one content handler, facts in shared dictionaries (several workers would share
them), a key looked up by its hash, buckets as C structures, nothing parsed twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.installation import LUA_MODULE, NDK_MODULE
from benchmarks.options import HOME
from benchmarks.peers.nginx import LOG, UPSTREAM, Nginx
from benchmarks.processes import free_port
from benchmarks.routes import BODY, SHOPS

ROUTES: Final = r"""
    local tree = {}
    for shop = 0, SHOPS - 1 do
      local path = "/shop" .. shop .. "/products"
      tree["shop" .. shop] = { products = { path = path, name = "GET " .. path } }
    end
    local find, sub = string.find, string.sub
    function find_route(uri)
      -- one step for each segment: /prod/<shop>/products
      local first = find(uri, "/", 7, true)
      if not first or sub(uri, 1, 6) ~= "/prod/" then return nil end
      local node = tree[sub(uri, 7, first - 1)]
      return node and node[sub(uri, first + 1)]
    end
    function refuse(status, message)
      ngx.status = status
      ngx.print('{"message":"' .. message .. '"}')
      return ngx.exit(status)
    end
"""

COUNT: Final = r"""
      log_by_lua_block {
        local route = ngx.ctx.route
        if not route then return end
        local counters = ngx.shared.counters
        local name = route.name
        local ms = (tonumber(ngx.var.request_time) or 0) * 1000
        counters:incr(name .. ":count", 1, 0)
        counters:incr(name .. ":latency-sum", ms, 0)
        counters:incr(name .. ":latency:" .. (ms < 1 and 0 or math.ceil(math.log(ms) * 8)), 1, 0)
        if ngx.status >= 400 then counters:incr(name .. (ngx.status < 500 and ":4xx" or ":5xx"), 1, 0) end
        if ngx.ctx.cache then counters:incr(name .. ngx.ctx.cache, 1, 0) end
        if ngx.ctx.caller then counters:incr(ngx.ctx.caller .. ngx.today(), 1, 0) end
      }
"""

LIMITS: Final = r"""
  lua_shared_dict keys 200m;
  lua_shared_dict buckets 64m;
  lua_shared_dict quotas 64m;
  lua_shared_dict counters 10m;
  lua_shared_dict answers 512m;
  init_by_lua_block {
ROUTES
    -- By hash: the key's id, and the number of its plan as the entry's flags.
    local keys = ngx.shared.keys
    for line in io.lines("FOLDER/keys") do
      local hash, id = line:match("(%x+) (%w+)")
      keys:set(hash:gsub("..", function (two) return string.char(tonumber(two, 16)) end), id, 0, 1)
    end
    plans = { { rate = RATE, burst = BURST, quota = QUOTA } }

    local ffi = require "ffi"
    ffi.cdef "typedef struct { double tokens; double at; } bucket_t;"
    local pointer, bucket = ffi.typeof("const bucket_t *"), ffi.new("bucket_t")
    local size = ffi.sizeof(bucket)
    local buckets = ngx.shared.buckets
    function take(name, rate, burst, now)
      local tokens, kept = burst, buckets:get(name)
      if kept then
        local before = ffi.cast(pointer, kept)
        tokens = math.min(burst, before.tokens + (now - before.at) * rate)
      end
      if tokens < 1 then return false end
      bucket.tokens, bucket.at = tokens - 1, now
      buckets:set(name, ffi.string(bucket, size))
      return true
    end
  }
  server {
    listen 127.0.0.1:PORT;
    location / {
      set $resource_path "";
      content_by_lua_block {
        local var, header = ngx.var, ngx.header
        header["X-Request-Id"] = var.request_id
        local route = find_route(var.uri)
        if not route or ngx.req.get_method() ~= "GET" then return refuse(403, "Missing Authentication Token") end
        ngx.ctx.route = route
        var.resource_path = route.path

        local value = var.http_x_api_key
        local id, plan = nil, nil
        if value then id, plan = ngx.shared.keys:get(ngx.sha1_bin(value)) end
        if not id then return refuse(403, "Forbidden") end
        plan = plans[plan]
        local now = ngx.now()
        if not take(id, plan.rate, plan.burst, now) then return refuse(429, "Too Many Requests") end
        local used = ngx.shared.quotas:incr(id .. string.sub(ngx.today(), 1, 7), 1, 0, 2678400)
        if used > plan.quota then return refuse(429, "Limit Exceeded") end
        ngx.ctx.caller = id
        if not take("account", RATE, BURST, now) then return refuse(429, "Too Many Requests") end

        local answers = ngx.shared.answers
        local name = route.name .. "?" .. (var.arg_category or "") .. "&" .. (var.arg_page or "")
        local body = answers:get(name)
        if body then
          ngx.ctx.cache = ":hits"
        else
          ngx.ctx.cache = ":misses"
          local asked = ngx.location.capture("/upstream" .. route.path, { args = var.args })
          if asked.status ~= 200 then return refuse(asked.status, "Bad Gateway") end
          body = asked.body
          answers:set(name, body, 3600)
        end
        header["Content-Length"] = #body
        ngx.print(body)
      }
COUNT
    }
    location /upstream/ { internal; rewrite ^/upstream(.*)$ $1 break; proxy_pass http://backend; }
  }
"""


TOKENS: Final = r"""
  lua_shared_dict tokens 64m;
  lua_shared_dict counters 10m;
  init_by_lua_block {
ROUTES
    local body = [==[BODY]==]
    local cjson, pkey, digest = require "cjson.safe", require "openssl.pkey", require "openssl.digest"
    local key = pkey.new([==[PEM]==])
    answer_body = body
    local function decoded(text)
      text = text:gsub("-", "+"):gsub("_", "/")
      return ngx.decode_base64(text .. string.rep("=", -#text % 4))
    end
    function verify(token)
      -- the claims that the route wants, and the seconds for which they are good
      local head, claims, signature = token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
      if not head then return nil end
      local told, bytes = cjson.decode(decoded(head) or ""), decoded(signature)
      if not told or told.alg ~= "RS256" or told.kid ~= "KID" or not bytes then return nil end
      local hash = digest.new("sha256")
      hash:update(head .. "." .. claims)
      local is_good, verified = pcall(key.verify, key, bytes, hash)
      if not is_good or not verified then return nil end
      local said = cjson.decode(decoded(claims) or "")
      if not said or said.iss ~= "ISSUER" or said.aud ~= "AUDIENCE" or said.token_use ~= "id" then return nil end
      local left = said.exp - ngx.time()
      if left <= 0 then return nil end
      return said.sub, left
    end
  }
  server {
    listen 127.0.0.1:PORT;
    location / {
      set $resource_path "";
      content_by_lua_block {
        local var, header = ngx.var, ngx.header
        header["X-Request-Id"] = var.request_id
        local route = find_route(var.uri)
        if not route or ngx.req.get_method() ~= "GET" then return refuse(403, "Missing Authentication Token") end
        ngx.ctx.route = route
        var.resource_path = route.path

        local token = var.http_authorization
        if not token then return refuse(401, "Unauthorized") end
        if token:sub(1, 7):lower() == "bearer " then token = token:sub(8) end
        local tokens = ngx.shared.tokens
        local subject = tokens:get(token)  -- entries end when their tokens do
        if not subject then
          local left
          subject, left = verify(token)
          if not subject then return refuse(401, "Unauthorized") end
          tokens:set(token, subject, left)
        end
        ngx.ctx.subject = subject
        header["Content-Length"] = #answer_body
        ngx.print(answer_body)
      }
COUNT
    }
  }
"""


def start_limits(
    program: Path, upstream_port: int, keys: Sequence[str], *, rate: float, burst: int, quota: int, cores: str
) -> Nginx:
    """Start nginx that asks for one of `keys`, takes from two buckets and a quota, and answers from its cache."""
    folder = HOME / "run" / "nginx-limits"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{hashlib.sha1(key.encode()).hexdigest()} key{number}" for number, key in enumerate(keys)]
    (folder / "keys").write_text("\n".join(lines) + "\n")
    lua = _filled(LIMITS, RATE=f"{rate:g}", BURST=str(burst), QUOTA=str(quota))
    return _start("nginx-limits", program, upstream_port, lua, cores=cores)


def start_tokens(program: Path, *, pem: str, kid: str, issuer: str, audience: str, cores: str) -> Nginx:
    """Start nginx that verifies a user pool's id tokens by its public key, and remembers those that it has verified."""
    lua = _filled(TOKENS, BODY=BODY, PEM=pem, KID=kid, ISSUER=issuer, AUDIENCE=audience)
    return _start("nginx-tokens", program, free_port(), lua, cores=cores)


def _filled(lua: str, **words: str) -> str:
    for name, text in {"ROUTES": ROUTES, "COUNT": COUNT, "SHOPS": str(SHOPS), **words}.items():
        lua = lua.replace(name, text)
    return lua


def _start(folder: str, program: Path, upstream_port: int, lua: str, *, cores: str) -> Nginx:
    port = free_port()
    modules = "\n".join(f"load_module {module};" for module in (NDK_MODULE, LUA_MODULE) if module.exists())
    http = LOG + UPSTREAM.replace("PORT", str(upstream_port)) + lua.replace("PORT", str(port))
    return Nginx(folder, program, http, modules=modules, port=port, cores=cores)
