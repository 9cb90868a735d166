"""Caddy with forty routes, a JSON access log and its metrics on. Its metrics count by handler, not by route."""

from __future__ import annotations

from pathlib import Path

from benchmarks.options import HOME
from benchmarks.processes import ServerProcess, answers, free_port
from benchmarks.routes import BODY, SHOPS, STAGE, mock_path, proxy_path


class Caddy:
    """A Caddy process with one scheduler thread."""

    def __init__(self, program: Path, upstream_port: int, *, cores: str) -> None:
        home = HOME / "run" / "caddy"
        home.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.configuration = _configuration(self.port, upstream_port, home / "access.log")
        file = home / "Caddyfile"
        file.write_text(self.configuration)
        self.process = ServerProcess(
            [str(program), "run", "--config", str(file), "--adapter", "caddyfile"],
            cores=cores,
            log=HOME / "run" / "caddy.log",
            env={"GOMAXPROCS": "1", "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home), "HOME": str(home)},
        )

    def wait(self) -> float:
        """Wait until it answers."""
        return self.process.wait_until(lambda: answers(self.port))

    def stop(self) -> None:
        """End it."""
        self.process.stop()


def _configuration(port: int, upstream_port: int, log: Path) -> str:
    routes = [
        f"""\
  handle /{STAGE}{mock_path(shop)}* {{
    header Content-Type application/json
    respond `{BODY}` 200
  }}
  handle /{STAGE}{proxy_path(shop)}* {{
    uri strip_prefix /{STAGE}
    reverse_proxy 127.0.0.1:{upstream_port} {{
      transport http {{
        keepalive_idle_conns_per_host 64
      }}
    }}
  }}
"""
        for shop in range(SHOPS)
    ]
    return f"""\
{{
  admin off
  auto_https off
  servers {{
    metrics
  }}
}}
http://127.0.0.1:{port}, http://localhost:{port} {{
  bind 127.0.0.1
  log {{
    output file {log} {{
      roll_disabled
    }}
    format json
  }}
  header X-Request-Id {{http.request.uuid}}
{"".join(routes)}
  handle {{
    respond `{{"message":"Missing Authentication Token"}}` 403
  }}
}}
"""
