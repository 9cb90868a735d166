"""Integrations straight to AWS services, built by boto3 and asked as clients do, on a running platform."""

from __future__ import annotations

import json
import time

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.aws.test_lambda_runtimes import a_zip
from tests.aws.test_rest_api_integrations import Api
from tests.support.platform import ask as ask_plainly

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": ["apigateway.amazonaws.com"]}, "Action": "sts:AssumeRole"}
    ],
}
DYNAMODB = "arn:aws:apigateway:us-east-1:dynamodb:action/{}"


def a_role(platform, name, **allows):
    """Create a role for API Gateway that may do `allows` (action -> resource)."""
    iam = platform.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    statements = [
        {"Effect": "Allow", "Action": action.replace("__", ":"), "Resource": resource}
        for action, resource in allows.items()
    ]
    if statements:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document)
    return role


@pytest.fixture(scope="module")
def table(platform):
    client = platform.client("dynamodb")
    client.create_table(
        TableName="integrated-orders",
        KeySchema=[{"AttributeName": "customer", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "customer", "AttributeType": "S"},
            {"AttributeName": "id", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(3):
        client.put_item(
            TableName="integrated-orders",
            Item={"customer": {"S": "ana"}, "id": {"S": f"o{number}"}, "cents": {"N": str(number * 100)}},
        )
    return "arn:aws:dynamodb:us-east-1:000000000000:table/integrated-orders"


HISTORY = """{
  "TableName": "integrated-orders",
  "KeyConditionExpression": "customer = :c",
  "ExpressionAttributeValues": {":c": {"S": "$util.escapeJavaScript($input.params('customer'))"}}
}"""
ORDERS = """#set($items = $input.path('$.Items'))
{"orders": [#foreach($i in $items){"id": "$i.id.S", "cents": $i.cents.N}#if($foreach.hasNext),#end#end]}"""


def an_action(name, role, template):
    return {
        "type": "AWS",
        "integrationHttpMethod": "POST",
        "uri": DYNAMODB.format(name),
        "credentials": role,
        "requestTemplates": {"application/json": template},
    }


ANSWERS = {
    "200": {"responseTemplates": {"application/json": ORDERS}},
    "400": {
        "selectionPattern": "4\\d{2}",
        "responseTemplates": {"application/json": '{"why": $input.json("$.__type")}'},
    },
}


def test_order_history_comes_straight_from_the_table(platform, table):
    api = Api(platform, "history")
    role = a_role(platform, "history-role", dynamodb__Query=table)
    api.method("orders", "GET", an_action("Query", role, HISTORY), ANSWERS)
    api.deploy()
    answer = api.ask("GET", "/orders?customer=ana")
    assert answer.status == 200
    assert answer.json() == {"orders": [{"id": f"o{n}", "cents": n * 100} for n in range(3)]}
    assert api.ask("GET", "/orders?customer=nobody").json() == {"orders": []}


def test_a_role_that_may_not_gets_dynamodbs_refusal_and_its_policy_counts_at_once(platform, table):
    api = Api(platform, "denied-history")
    role = a_role(platform, "denied-role")
    api.method("orders", "GET", an_action("Query", role, HISTORY), ANSWERS)
    api.deploy()
    denied = api.ask("GET", "/orders?customer=ana")
    assert denied.status == 400
    assert "AccessDenied" in denied.json()["why"]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "dynamodb:*", "Resource": table}]}
    platform.client("iam").put_role_policy(RoleName="denied-role", PolicyName="p", PolicyDocument=json.dumps(document))
    assert api.ask("GET", "/orders?customer=ana").status == 200


def test_a_role_that_is_not_there_is_500(platform, table):
    api = Api(platform, "no-role")
    role = "arn:aws:iam::000000000000:role/nobody"
    api.method("orders", "GET", an_action("Query", role, HISTORY), ANSWERS)
    api.deploy()
    assert api.ask("GET", "/orders?customer=ana").status == 500


def test_items_are_written_by_a_template(platform, table):
    api = Api(platform, "write-orders")
    role = a_role(platform, "write-role", dynamodb__PutItem=table)
    template = (
        '{"TableName": "integrated-orders", "Item": {"customer": {"S": "bob"}, "id": {"S": "$context.requestId"}}}'
    )
    api.method("orders", "POST", an_action("PutItem", role, template), {"201": {}})
    api.deploy()
    assert api.ask("POST", "/orders", "{}", Content_Type="application/json").status == 201
    found = platform.client("dynamodb").query(
        TableName="integrated-orders",
        KeyConditionExpression="customer = :c",
        ExpressionAttributeValues={":c": {"S": "bob"}},
    )
    assert found["Count"] == 1


def test_query_services_take_actions_with_parameters_in_the_query_string(platform):
    api = Api(platform, "who-am-i")
    role = a_role(platform, "who-role")
    integration = {
        "type": "AWS",
        "integrationHttpMethod": "POST",
        "uri": "arn:aws:apigateway:us-east-1:sts:action/GetCallerIdentity",
        "credentials": role,
    }
    api.method("me", "GET", integration, {"200": {}})
    api.deploy()
    assert b"assumed-role/who-role/BackplaneAssumeRoleSession" in api.ask("GET", "/me").body


def test_a_service_that_is_not_here_says_so_to_the_mapping(platform):
    api = Api(platform, "no-queue")
    role = a_role(platform, "queue-role", sqs__SendMessage="*")
    integration = {
        "type": "AWS",
        "integrationHttpMethod": "POST",
        "uri": "arn:aws:apigateway:us-east-1:sqs:path/000000000000/orders",
        "credentials": role,
        "requestParameters": {"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
        "requestTemplates": {"application/json": "Action=SendMessage&MessageBody=$input.body"},
    }
    answers = {"200": {}, "501": {"selectionPattern": "501"}}
    api.method("queue", "POST", integration, answers)
    api.deploy()
    answer = api.ask("POST", "/queue", "hello", Content_Type="application/json")
    assert answer.status == 501
    assert b"--service sqs=" in answer.body


def test_the_callers_own_credentials_reach_the_service(platform, table):
    api = Api(platform, "callers-own")
    named = {"restApiId": api.id, "resourceId": api.root, "httpMethod": "GET"}
    api.client.put_method(**named, authorizationType="AWS_IAM")
    integration = an_action("Query", "arn:aws:iam::*:user/*", HISTORY)
    api.client.put_integration(**named, **integration)
    for status, response in ANSWERS.items():
        api.client.put_method_response(**named, statusCode=status)
        api.client.put_integration_response(**named, statusCode=status, **response)
    api.deploy()
    iam = platform.client("iam")
    iam.create_user(UserName="own-ana")
    key = iam.create_access_key(UserName="own-ana")["AccessKey"]

    def allow(*actions):
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName="own-ana", PolicyName="p", PolicyDocument=document)

    def ask():
        path = "/?customer=ana"
        url = f"http://{api.id}.execute-api.us-east-1.localhost/prod{path}"
        request = AWSRequest("GET", url)
        SigV4Auth(Credentials(key["AccessKeyId"], key["SecretAccessKey"]), "execute-api", "us-east-1").add_auth(request)
        headers = {**dict(request.headers.items()), "Host": f"{api.id}.execute-api.us-east-1.localhost"}
        base = platform.stage_url(api.id, "prod").partition("/_aws/")[0]
        return ask_plainly("GET", f"{base}/prod{path}", None, headers)

    allow("execute-api:Invoke")
    assert ask().status == 400  # may call the API, may not query the table
    allow("execute-api:Invoke", "dynamodb:Query")
    answer = ask()
    assert (answer.status, len(answer.json()["orders"])) == (200, 3)


CODE = """
import boto3


def handler(event, context):
    boto3.client("dynamodb").put_item(
        TableName="integrated-orders", Item={"customer": {"S": "event"}, "id": {"S": event["id"]}})
"""


@pytest.mark.parametrize("by_role", [False, True])
def test_a_function_is_invoked_asynchronously(platform, table, by_role):
    name = f"async-{by_role}".lower()
    trust = json.loads(json.dumps(TRUST).replace("apigateway", "lambda"))
    iam = platform.client("iam")
    own = iam.create_role(RoleName=f"{name}-own", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "dynamodb:*", "Resource": table}]}
    iam.put_role_policy(RoleName=f"{name}-own", PolicyName="p", PolicyDocument=json.dumps(allow))
    client = platform.client("lambda")
    function = client.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=own,
        Handler="app.handler",
        Code={"ZipFile": a_zip("app.py", CODE)},
    )["FunctionArn"]
    integration = {
        "type": "AWS",
        "integrationHttpMethod": "POST",
        "uri": f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations",
        "requestParameters": {"integration.request.header.X-Amz-Invocation-Type": "'Event'"},
    }
    if by_role:
        integration["credentials"] = a_role(platform, f"{name}-api", lambda__InvokeFunction=function)
    else:
        client.add_permission(
            FunctionName=name, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
        )
    api = Api(platform, name)
    api.method("events", "POST", integration, {"202": {}})
    api.deploy()
    answer = api.ask("POST", "/events", json.dumps({"id": name}), Content_Type="application/json")
    assert (answer.status, answer.body) == (202, b"")
    tables = platform.client("dynamodb")
    key = {"customer": {"S": "event"}, "id": {"S": name}}
    deadline = time.monotonic() + 20
    while "Item" not in tables.get_item(TableName="integrated-orders", Key=key):
        assert time.monotonic() < deadline
        time.sleep(0.1)
