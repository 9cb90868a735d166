"""Envoy with forty routes, a JSON access log and a counter (virtual cluster) for each route."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.options import HOME
from benchmarks.processes import ServerProcess, answers, free_port
from benchmarks.routes import BODY, SHOPS, STAGE, mock_path, proxy_path

FORMAT = {
    "requestId": "%REQ(X-REQUEST-ID)%",
    "ip": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "requestTime": "%START_TIME%",
    "httpMethod": "%REQ(:METHOD)%",
    "apiId": "bench",
    "stage": STAGE,
    "resourcePath": "%ROUTE_NAME%",
    "path": "%REQ(:PATH)%",
    "status": "%RESPONSE_CODE%",
    "responseLength": "%BYTES_SENT%",
    "responseLatency": "%DURATION%",
    "integrationLatency": "%RESPONSE_DURATION%",
}
TYPES = "type.googleapis.com/envoy.extensions."


class Envoy:
    """An Envoy process with one worker thread."""

    def __init__(self, program: Path, upstream_port: int, *, cores: str) -> None:
        home = HOME / "run" / "envoy"
        home.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.configuration = json.dumps(_configuration(self.port, upstream_port, home / "access.log"), indent=1)
        file = home / "envoy.json"
        file.write_text(self.configuration)
        command = [str(program), "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
        self.process = ServerProcess(command, cores=cores, log=HOME / "run" / "envoy.log")

    def wait(self) -> float:
        """Wait until it answers."""
        return self.process.wait_until(lambda: answers(self.port))

    def stop(self) -> None:
        """End it."""
        self.process.stop()


def _configuration(port: int, upstream_port: int, log: Path) -> dict[str, Any]:
    routes: list[dict[str, Any]] = []
    counters = []
    for shop in range(SHOPS):
        mock, proxy = f"/{STAGE}{mock_path(shop)}", f"/{STAGE}{proxy_path(shop)}"
        routes.append(
            {
                "name": mock_path(shop) + "{id}",
                "match": {"prefix": mock},
                "direct_response": {"status": 200, "body": {"inline_string": BODY}},
                "response_headers_to_add": [{"header": {"key": "content-type", "value": "application/json"}}],
            }
        )
        routes.append(
            {
                "name": proxy_path(shop) + "{id}",
                "match": {"prefix": proxy},
                "route": {"cluster": "backend", "prefix_rewrite": proxy_path(shop)},
            }
        )
        for prefix in (mock, proxy):
            name = prefix.strip("/").replace("/", "_")
            counters.append({"name": name, "headers": [{"name": ":path", "string_match": {"prefix": prefix}}]})
    manager = {
        "@type": TYPES + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "gateway",
        "access_log": [
            {
                "name": "file",
                "typed_config": {
                    "@type": TYPES + "access_loggers.file.v3.FileAccessLog",
                    "path": str(log),
                    "log_format": {"json_format": FORMAT},
                },
            }
        ],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "shop",
                    "domains": ["*"],
                    "routes": routes,
                    "virtual_clusters": counters,
                    "response_headers_to_add": [{"header": {"key": "x-request-id", "value": "%REQ(X-REQUEST-ID)%"}}],
                }
            ]
        },
        "http_filters": [
            {"name": "router", "typed_config": {"@type": TYPES + "filters.http.router.v3.Router"}},
        ],
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    upstream = {"socket_address": {"address": "127.0.0.1", "port_value": upstream_port}}
    return {
        "static_resources": {
            "listeners": [
                {
                    "name": "public",
                    "address": address,
                    "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
                }
            ],
            "clusters": [
                {
                    "name": "backend",
                    "type": "STATIC",
                    "load_assignment": {
                        "cluster_name": "backend",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": upstream}}]}],
                    },
                }
            ],
        }
    }
