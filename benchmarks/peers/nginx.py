"""nginx: the upstream of the proxied routes, nginx as a gateway, and nginx with Lua as a gateway."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from benchmarks.installation import LUA_MODULE, NDK_MODULE
from benchmarks.options import HOME
from benchmarks.processes import ServerProcess, answers, free_port
from benchmarks.routes import BODY, SHOPS, STAGE, mock_path, proxy_path

SHELL: Final = """\
{user}daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
{modules}
events {{ worker_connections 1024; }}
http {{
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  default_type application/json;
  keepalive_requests 1000000000;
{http}
}}
"""

LOG: Final = """\
  log_format line escape=json '{"requestId":"$request_id","ip":"$remote_addr","requestTime":"$time_iso8601",'
    '"requestTimeEpoch":$msec,"httpMethod":"$request_method","apiId":"bench","stage":"prod",'
    '"resourcePath":"$resource_path","path":"$request_uri","status":$status,"responseLength":$body_bytes_sent,'
    '"responseLatency":$request_time,"integrationLatency":"$upstream_response_time"}';
  access_log FOLDER/access.log line buffer=64k flush=1s;
"""

UPSTREAM: Final = """\
  upstream backend { server 127.0.0.1:PORT; keepalive 64; keepalive_requests 1000000000; }
  proxy_http_version 1.1;
  proxy_set_header Connection "";
"""

LUA: Final = r"""
  lua_shared_dict counters 10m;
  init_by_lua_block {
    local body = [==[BODY]==]
    local tree = {}
    for shop = 0, SHOPS - 1 do
      local mock, proxy = "/shop" .. shop .. "/items/{id}", "/vendor" .. shop .. "/items/{id}"
      tree["shop" .. shop] = { items = { id = { path = mock, name = "GET " .. mock, body = body } } }
      tree["vendor" .. shop] = { items = { id = { path = proxy, name = "GET " .. proxy } } }
    end
    local find, sub = string.find, string.sub
    function find_route(uri)
      -- one step for each segment: /prod/<shop>/items/<id>
      local first = find(uri, "/", 7, true)
      if not first or sub(uri, 1, 6) ~= "/prod/" then return nil end
      local second = find(uri, "/", first + 1, true)
      if not second then return nil end
      local node = tree[sub(uri, 7, first - 1)]
      node = node and node[sub(uri, first + 1, second - 1)]
      if not node or second == #uri or find(uri, "/", second + 1, true) then return nil end
      return node.id, sub(uri, second + 1)
    end
  }
  server {
    listen 127.0.0.1:PORT;
    location / {
      set $resource_path "";
      rewrite_by_lua_block {
        local route, id = find_route(ngx.var.uri)
        if not route or ngx.req.get_method() ~= "GET" then
          ngx.status = 403
          ngx.print('{"message":"Missing Authentication Token"}')
          return ngx.exit(403)
        end
        ngx.ctx.route = route
        ngx.ctx.id = id
        ngx.var.resource_path = route.path
        ngx.header["X-Request-Id"] = ngx.var.request_id
        if route.body then
          ngx.header["Content-Length"] = #route.body
          ngx.print(route.body)
          return ngx.exit(200)
        end
        ngx.req.set_uri(string.sub(ngx.var.uri, 6))
      }
      proxy_pass http://backend;
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
        if not route.body then
          local upstream = (tonumber(ngx.var.upstream_response_time) or 0) * 1000
          counters:incr(name .. ":integration-sum", upstream, 0)
          counters:incr(name .. ":integration:" .. (upstream < 1 and 0 or math.ceil(math.log(upstream) * 8)), 1, 0)
        end
      }
    }
  }
"""


LUA_BUCKET: Final = r"""
  lua_shared_dict counters 10m;
  lua_shared_dict buckets 1m;
  init_by_lua_block {
    local ffi = require "ffi"
    local body = [==[BODY]==]
    local tree = {}
    local function route(path, answer)
      local name = "GET " .. path
      return {
        path = path, body = answer, size = answer and #answer,
        count = name .. ":count", sum = name .. ":latency-sum", latency = name .. ":latency:",
        client_errors = name .. ":4xx", server_errors = name .. ":5xx",
        waited_sum = name .. ":integration-sum", waited = name .. ":integration:",
      }
    end
    for shop = 0, SHOPS - 1 do
      tree["shop" .. shop] = { items = { id = route("/shop" .. shop .. "/items/{id}", body) } }
      tree["vendor" .. shop] = { items = { id = route("/vendor" .. shop .. "/items/{id}") } }
    end
    local find, sub = string.find, string.sub
    function find_route(uri)
      -- one step for each segment: /prod/<shop>/items/<id>
      local first = find(uri, "/", 7, true)
      if not first or sub(uri, 1, 6) ~= "/prod/" then return nil end
      local second = find(uri, "/", first + 1, true)
      if not second then return nil end
      local node = tree[sub(uri, 7, first - 1)]
      node = node and node[sub(uri, first + 1, second - 1)]
      if not node or second == #uri or find(uri, "/", second + 1, true) then return nil end
      return node.id
    end

    -- The account's tokens, in memory that workers share: a record of two numbers, as in lua-resty-limit-traffic.
    ffi.cdef "struct bucket { double tokens; double stamp; };"
    local record, pointer = ffi.new("struct bucket"), ffi.typeof("const struct bucket *")
    local record_bytes = ffi.sizeof("struct bucket")
    local buckets, now, min = ngx.shared.buckets, ngx.now, math.min
    function take(rate, burst)
      local at, tokens = now(), burst
      local kept = buckets:get("account")
      if kept and #kept == record_bytes then
        local last = ffi.cast(pointer, kept)
        tokens = min(burst, last.tokens + (at - last.stamp) * rate)
      end
      if tokens < 1 then return false end
      record.tokens, record.stamp = tokens - 1, at
      buckets:set("account", ffi.string(record, record_bytes))
      return true
    end

    local counters, log, ceil, start_time = ngx.shared.counters, math.log, math.ceil, ngx.req.start_time
    local function step(ms) return ms < 1 and 0 or ceil(log(ms) * 8) end
    function count(route, status, waited)
      local ms = (now() - start_time()) * 1000
      counters:incr(route.count, 1, 0)
      counters:incr(route.sum, ms, 0)
      counters:incr(route.latency .. step(ms), 1, 0)
      if status >= 400 then counters:incr(status < 500 and route.client_errors or route.server_errors, 1, 0) end
      if not route.body then
        local ms = (tonumber(waited) or 0) * 1000
        counters:incr(route.waited_sum, ms, 0)
        counters:incr(route.waited .. step(ms), 1, 0)
      end
    end
  }
  server {
    listen 127.0.0.1:PORT;
    location / {
      set $resource_path "";
      rewrite_by_lua_block {
        local var = ngx.var
        local uri = var.uri
        local route = find_route(uri)
        if not route or ngx.req.get_method() ~= "GET" then
          ngx.status = 403
          ngx.print('{"message":"Missing Authentication Token"}')
          return ngx.exit(403)
        end
        ngx.ctx.route = route
        var.resource_path = route.path
        if not take(RATE, BURST) then
          ngx.status = 429
          ngx.print('{"message":"Too Many Requests"}')
          return ngx.exit(429)
        end
        local header = ngx.header
        header["X-Request-Id"] = var.request_id
        if route.body then
          header["Content-Length"] = route.size
          ngx.print(route.body)
          return ngx.exit(200)
        end
        ngx.req.set_uri(string.sub(uri, 6))
      }
      proxy_pass http://backend;
      log_by_lua_block {
        local route = ngx.ctx.route
        if route then count(route, ngx.status, route.body or ngx.var.upstream_response_time) end
      }
    }
  }
"""


class Nginx:
    """An nginx process with one configuration."""

    def __init__(self, folder: str, program: Path, http: str, *, modules: str = "", port: int, cores: str) -> None:
        home = HOME / "run" / folder
        home.mkdir(parents=True, exist_ok=True)
        self.port = port
        self.configuration = SHELL.format(
            user="user root;\n" if os.geteuid() == 0 else "",
            folder=home,
            modules=modules,
            http=http.replace("FOLDER", str(home)),
        )
        file = home / "nginx.conf"
        file.write_text(self.configuration)
        self.process = ServerProcess(
            [str(program), "-p", str(home), "-c", str(file)], cores=cores, log=HOME / "run" / f"{folder}.log"
        )

    def wait(self) -> float:
        """Wait until it answers."""
        return self.process.wait_until(lambda: answers(self.port))

    def stop(self) -> None:
        """End it."""
        self.process.stop()


def start_upstream(program: Path, *, cores: str) -> Nginx:
    """Start the backend of the proxied routes: it answers everything from memory."""
    port = free_port()
    body = BODY.replace("'", "")
    http = f"  access_log off;\n  server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{body}'; }} }}"
    return Nginx("upstream", program, http, port=port, cores=cores)


def start_nginx(program: Path, upstream_port: int, *, cores: str) -> Nginx:
    """Start nginx with a location for each route and an access log. It has no counters for routes."""
    port = free_port()
    locations = []
    for shop in range(SHOPS):
        mock, proxy = (f"set $resource_path {path(shop)}:id;" for path in (mock_path, proxy_path))
        locations.append(f"    location /{STAGE}{mock_path(shop)} {{ {mock} return 200 '{BODY}'; }}")
        locations.append(
            f"    location /{STAGE}{proxy_path(shop)} {{ {proxy} proxy_pass http://backend{proxy_path(shop)}; }}"
        )
    server = [
        "  server {",
        f"    listen 127.0.0.1:{port};",
        "    add_header X-Request-Id $request_id;",
        '    set $resource_path "";',
        *locations,
        '    location / { return 403 \'{"message":"Missing Authentication Token"}\'; }',
        "  }",
    ]
    http = LOG + UPSTREAM.replace("PORT", str(upstream_port)) + "\n".join(server)
    return Nginx("nginx", program, http, port=port, cores=cores)


def start_nginx_lua(program: Path, upstream_port: int, *, cores: str) -> Nginx:
    """Start nginx whose Lua finds the route in a tree, answers or sends it on, and counts in a shared dictionary."""
    return _start_lua("nginx-lua", LUA, program, upstream_port, cores=cores)


def start_nginx_lua_bucket(program: Path, upstream_port: int, *, cores: str) -> Nginx:
    """Start nginx whose Lua also takes a token of the account for each request, as API Gateway does."""
    lua = LUA_BUCKET.replace("RATE", "1e9").replace("BURST", "1e9")  # as Gatepost is started: nobody is refused
    return _start_lua("nginx-lua-bucket", lua, program, upstream_port, cores=cores)


def _start_lua(folder: str, text: str, program: Path, upstream_port: int, *, cores: str) -> Nginx:
    port = free_port()
    lua = text.replace("BODY", BODY).replace("SHOPS", str(SHOPS)).replace("PORT", str(port))
    modules = "\n".join(f"load_module {module};" for module in (NDK_MODULE, LUA_MODULE) if module.exists())
    http = LOG + UPSTREAM.replace("PORT", str(upstream_port)) + lua
    return Nginx(folder, program, http, modules=modules, port=port, cores=cores)
