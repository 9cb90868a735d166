"""A stage changes under load: fifty redeployments, rollbacks and canaries, and no client sees an error or a mixture."""

from __future__ import annotations

import http.client
import json
import threading
from urllib.parse import urlsplit

from tests.aws.test_rest_api_integrations import Api

CHANGES = 50
CLIENTS = 4
HEADER = "method.response.header.X-Version"


class Clients:
    """Asks again and again over kept connections; keeps what does not fit together."""

    def __init__(self, url: str) -> None:
        self.url = urlsplit(url)
        self.wrong: list[object] = []
        self.seen: set[tuple[str, str, str]] = set()
        self.count = 0
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]

    def _ask(self) -> None:
        connection = http.client.HTTPConnection(self.url.hostname or "", self.url.port, timeout=20)
        while not self.stopping.is_set():
            try:
                connection.request("GET", self.url.path)
                answer = connection.getresponse()
                text = answer.read()
            except OSError as error:
                self.wrong.append(error)
                return
            self.count += 1
            if answer.status != 200:
                self.wrong.append((answer.status, text))
                continue
            told = json.loads(text)
            if told["version"] != answer.headers["X-Version"]:
                self.wrong.append((told, answer.headers["X-Version"]))
            self.seen.add((told["deployment"], told["version"], told["colour"]))
        connection.close()

    def __enter__(self) -> Clients:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)


class Changing:
    """An API whose deployments each have a version, in a header and in the body."""

    def __init__(self, platform) -> None:
        self.api = Api(platform, "atomic")
        self.client = self.api.client
        resource = self.client.create_resource(restApiId=self.api.id, parentId=self.api.root, pathPart="v")["id"]
        self.named = {"restApiId": self.api.id, "resourceId": resource, "httpMethod": "GET"}
        self.client.put_method(**self.named, authorizationType="NONE")
        mock = {"type": "MOCK", "requestTemplates": {"application/json": '{"statusCode": 200}'}}
        self.client.put_integration(**self.named, **mock)
        self.client.put_method_response(**self.named, statusCode="200", responseParameters={HEADER: False})
        self.versions: dict[str, str] = {}

    def deployment(self, **options) -> str:
        version = str(len(self.versions) + 1)
        template = (
            f'{{"version": "{version}", "deployment": "$context.deploymentId", "colour": "$stageVariables.colour"}}'
        )
        self.client.put_integration_response(
            **self.named,
            statusCode="200",
            responseParameters={HEADER: f"'{version}'"},
            responseTemplates={"application/json": template},
        )
        made = self.client.create_deployment(restApiId=self.api.id, stageName="prod", **options)["id"]
        self.versions[made] = version
        return made

    def patch(self, *operations: tuple[str, str, str]) -> None:
        self.client.update_stage(
            restApiId=self.api.id,
            stageName="prod",
            patchOperations=[
                {"op": op, "path": path, **({"value": value} if value else {})} for op, path, value in operations
            ],
        )

    def canary(self) -> str:
        overrides = {"percentTraffic": 50.0, "stageVariableOverrides": {"colour": "blue"}}
        return self.deployment(canarySettings=overrides)

    def promote(self, deployment: str) -> None:
        self.patch(("replace", "/deploymentId", deployment), ("remove", "/canarySettings", ""))


def test_fifty_changes_under_load_show_no_error_and_no_mixture(platform):
    changing = Changing(platform)
    first = changing.deployment(variables={"colour": "red"})
    url = platform.stage_url(changing.api.id, "prod") + "/v"
    with Clients(url) as clients:
        for turn in range(CHANGES // 5):
            second = changing.deployment()  # 1. redeploy
            changing.patch(("replace", "/deploymentId", first))  # 2. roll back
            changing.patch(("replace", "/deploymentId", second))  # 3. and forth
            canary = changing.canary()  # 4. a canary beside it
            changing.promote(canary)  # 5. which becomes the stage
            assert clients.wrong == [], f"turn {turn}"
            first = second
        told = {(deployment, version) for deployment, version, _ in clients.seen}
    assert clients.wrong == []
    assert clients.count > CHANGES
    assert told <= set(changing.versions.items())
    assert len(told) > 5
    # The canary's variables are seen with canaries' deployments alone.
    blue = {version for _, version, colour in clients.seen if colour == "blue"}
    assert blue
    assert blue <= {str(2 * turn + 3) for turn in range(CHANGES // 5)}
