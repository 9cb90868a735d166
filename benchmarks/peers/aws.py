"""The same boto3 calls against every server that speaks AWS's protocols."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

REGION: Final = "us-east-1"
ACCOUNT: Final = "000000000000"
TRUST: Final = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


@dataclass
class Aws:
    """An AWS endpoint and a key."""

    port: int
    access_key_id: str = "test"
    secret_access_key: str = "test"

    def client(self, service: str) -> Any:
        """Make a client of `service`."""
        import boto3
        from botocore.config import Config

        return boto3.session.Session(
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            region_name=REGION,
        ).client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            config=Config(retries={"max_attempts": 1}, read_timeout=60, proxies={}),
        )

    @cached_property
    def apigateway(self) -> Any:
        """Give a client for REST APIs."""
        return self.client("apigateway")

    def import_api(self, document: dict[str, Any], stage: str) -> str:
        """Import and deploy a REST API; give its id."""
        api_id = self.apigateway.import_rest_api(body=json.dumps(document).encode())["id"]
        self.apigateway.create_deployment(restApiId=api_id, stageName=stage)
        return str(api_id)

    def create_function(self, name: str, code: str) -> str:
        """Create a Python function with a role that can do nothing; give its ARN."""
        iam, functions = self.client("iam"), self.client("lambda")
        role = iam.create_role(RoleName=f"{name}-role", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("function.py", code)
        created = functions.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=role,
            Handler="function.handler",
            Code={"ZipFile": packed.getvalue()},
            MemorySize=256,
            Timeout=10,
        )
        functions.get_waiter("function_active_v2").wait(FunctionName=name)
        return str(created["FunctionArn"])

    def deploy_function_api(self, function_arn: str, stage: str) -> str:
        """Deploy `GET /hello/{name}` in front of a function, resource by resource; give the API's id."""
        api = self.apigateway
        api_id = str(api.create_rest_api(name="functions")["id"])
        root = api.get_resources(restApiId=api_id)["items"][0]["id"]
        hello = api.create_resource(restApiId=api_id, parentId=root, pathPart="hello")["id"]
        named = api.create_resource(restApiId=api_id, parentId=hello, pathPart="{name}")["id"]
        api.put_method(restApiId=api_id, resourceId=named, httpMethod="GET", authorizationType="NONE")
        api.put_integration(
            restApiId=api_id,
            resourceId=named,
            httpMethod="GET",
            type="AWS_PROXY",
            integrationHttpMethod="POST",
            uri=f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function_arn}/invocations",
        )
        self.client("lambda").add_permission(
            FunctionName=function_arn,
            StatementId="api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api_id}/*/GET/hello/*",
        )
        api.create_deployment(restApiId=api_id, stageName=stage)
        return api_id

    def create_limited_user(self, *tables: str) -> tuple[str, str]:
        """Create a user who may use these tables and nothing else; give its key."""
        iam = self.client("iam")
        iam.create_user(UserName="shopper")
        iam.put_user_policy(
            UserName="shopper",
            PolicyName="tables",
            PolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"],
                            "Resource": [f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}" for table in tables],
                        }
                    ],
                }
            ),
        )
        key = iam.create_access_key(UserName="shopper")["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]
