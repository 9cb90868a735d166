"""Custom domain names by boto3 on a running platform, and by real clients over TLS."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import ssl
import sys
import zipfile
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.support.tls import a_client_certificate, an_authority, exchange, issued
from tests.support.wire import answers_in


def an_api(platform, name, *stages, path="hello"):
    """Deploy an API with one mocked method that tells where it was called."""
    aws = platform.client("apigateway")
    api_id = aws.create_rest_api(name=name, endpointConfiguration={"types": ["REGIONAL"]})["id"]
    root = aws.get_resources(restApiId=api_id)["items"][0]["id"]
    resource = aws.create_resource(restApiId=api_id, parentId=root, pathPart=path)["id"]
    for target in (root, resource):
        aws.put_method(restApiId=api_id, resourceId=target, httpMethod="GET", authorizationType="NONE")
        aws.put_integration(
            restApiId=api_id,
            resourceId=target,
            httpMethod="GET",
            type="MOCK",
            requestTemplates={"application/json": '{"statusCode": 200}'},
        )
        aws.put_method_response(restApiId=api_id, resourceId=target, httpMethod="GET", statusCode="200")
        template = (
            f'{{"api": "{name}", "stage": "$context.stage", "path": "$context.path", "domain": "$context.domainName",'
            ' "prefix": "$context.domainPrefix", "matched": "$context.customDomain.basePathMatched",'
            ' "rule": "$context.customDomain.routingRuleIdMatched",'
            ' "subject": "$context.identity.clientCert.subjectDN",'
            ' "serial": "$context.identity.clientCert.serialNumber"}'
        )
        aws.put_integration_response(
            restApiId=api_id,
            resourceId=target,
            httpMethod="GET",
            statusCode="200",
            responseTemplates={"application/json": template},
        )
    for stage in stages or ("prod",):
        aws.create_deployment(restApiId=api_id, stageName=stage)
    return api_id


def a_certificate(platform, *names):
    request = {"DomainName": names[0], "KeyAlgorithm": "EC_prime256v1"}
    if names[1:]:
        request["SubjectAlternativeNames"] = list(names[1:])
    return platform.client("acm").request_certificate(**request)["CertificateArn"]


@contextmanager
def a_domain(platform, name, **more):
    aws = platform.client("apigateway")
    params = {
        "domainName": name,
        "regionalCertificateArn": a_certificate(platform, name),
        "endpointConfiguration": {"types": ["REGIONAL"]},
    }
    yield aws.create_domain_name(**(params | more))
    aws.delete_domain_name(domainName=name)


def trusting(platform):
    return ssl.create_default_context(cafile=str(platform.data / "tls" / "ca.pem"))


def tls_port(platform):
    return urlsplit(json.loads((platform.data / "endpoints.json").read_bytes())["tls"]).port


def over_tls(platform, name, path="/", *, host="", context=None):
    data, _ = asyncio.run(
        exchange(tls_port(platform), context or trusting(platform), server_name=name, host=host, path=path)
    )
    answer = answers_in(data)[0]
    return answer.status, json.loads(answer.body)


def plainly(platform, host, path="/", **headers):
    url = urlsplit(platform.public)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
    connection.request("GET", path, headers={"Host": host, **headers})
    answer = connection.getresponse()
    status, body = answer.status, json.loads(answer.read())
    connection.close()
    return status, body


FORBIDDEN = (403, {"message": "Forbidden"})


def refusal(call, **params):
    with pytest.raises(ClientError) as error:
        call(**params)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_a_domain_name_leads_to_its_apis_over_tls_and_by_host(platform) -> None:
    aws = platform.client("apigateway")
    orders, root = an_api(platform, "orders"), an_api(platform, "root")
    with a_domain(platform, "api.shop.localhost") as made:
        assert made["domainNameStatus"] == "AVAILABLE"
        assert made["securityPolicy"] == "TLS_1_2"
        assert made["regionalDomainName"].endswith(".execute-api.us-east-1.amazonaws.com")
        assert over_tls(platform, "api.shop.localhost", "/hello") == FORBIDDEN
        aws.create_base_path_mapping(domainName="api.shop.localhost", basePath="orders", restApiId=orders, stage="prod")
        aws.create_base_path_mapping(domainName="api.shop.localhost", restApiId=root, stage="prod")
        status, told = over_tls(platform, "api.shop.localhost", "/orders/hello")
        assert status == 200
        assert told["api"] == "orders"
        assert told["path"] == "/orders/hello"
        assert (told["domain"], told["prefix"]) == ("api.shop.localhost", "api")
        assert told["matched"] == "orders"
        assert over_tls(platform, "api.shop.localhost", "/orders")[1]["api"] == "orders"
        assert over_tls(platform, "api.shop.localhost", "/hello")[1]["api"] == "root"
        assert over_tls(platform, "api.shop.localhost", "/ordersX")[1] == {"message": "Missing Authentication Token"}
        assert plainly(platform, "api.shop.localhost:8080", "/orders/hello")[1]["api"] == "orders"
        assert plainly(platform, "other.shop.localhost", "/orders/hello") == FORBIDDEN
        assert platform.client("acm").describe_certificate(CertificateArn=made["regionalCertificateArn"])[
            "Certificate"
        ]["InUseBy"] == [made["domainNameArn"]]
        assert "remove all base path mappings" in refusal(aws.delete_rest_api, restApiId=orders)[1]
        assert "remove all base path mappings" in refusal(aws.delete_stage, restApiId=orders, stageName="prod")[1]
    assert plainly(platform, "api.shop.localhost", "/orders/hello") == FORBIDDEN


def test_mappings_are_listed_changed_and_deleted(platform) -> None:
    aws = platform.client("apigateway")
    api = an_api(platform, "mapped", "prod", "dev")
    name = "mappings.shop.localhost"
    with a_domain(platform, name):
        first = aws.create_base_path_mapping(domainName=name, basePath="(none)", restApiId=api)
        assert first["basePath"] == "(none)"
        assert "stage" not in first
        assert plainly(platform, name, "/dev/hello")[1]["stage"] == "dev"
        patches = [
            {"op": "replace", "path": "/basePath", "value": "v1"},
            {"op": "replace", "path": "/stage", "value": "dev"},
        ]
        changed = aws.update_base_path_mapping(domainName=name, basePath="(none)", patchOperations=patches)
        assert (changed["basePath"], changed["stage"]) == ("v1", "dev")
        assert plainly(platform, name, "/v1/hello")[1]["stage"] == "dev"
        assert plainly(platform, name, "/dev/hello") == FORBIDDEN
        aws.create_base_path_mapping(domainName=name, basePath="v2", restApiId=api, stage="prod")
        pages = aws.get_paginator("get_base_path_mappings").paginate(domainName=name, PaginationConfig={"PageSize": 1})
        assert [item["basePath"] for page in pages for item in page["items"]] == ["v1", "v2"]
        for params, code in (
            ({"basePath": "v1", "restApiId": api, "stage": "prod"}, "ConflictException"),
            ({"basePath": "a/b", "restApiId": api, "stage": "prod"}, "BadRequestException"),
            ({"basePath": "ä", "restApiId": api, "stage": "prod"}, "BadRequestException"),
            ({"basePath": "v3", "restApiId": "nothere", "stage": "prod"}, "BadRequestException"),
            ({"basePath": "v3", "restApiId": api, "stage": "nothere"}, "BadRequestException"),
        ):
            assert refusal(aws.create_base_path_mapping, domainName=name, **params)[0] == code
        aws.delete_base_path_mapping(domainName=name, basePath="v1")
        assert refusal(aws.get_base_path_mapping, domainName=name, basePath="v1")[0] == "NotFoundException"
        assert refusal(aws.get_base_path_mappings, domainName="nothere.localhost")[0] == "NotFoundException"


def test_mappings_of_several_levels_and_routing_rules_by_v2(platform) -> None:
    v2 = platform.client("apigatewayv2")
    orders, items, beta = (an_api(platform, name) for name in ("orders", "items", "beta"))
    name = "levels.shop.localhost"
    with a_domain(platform, name, routingMode="ROUTING_RULE_THEN_BASE_PATH_MAPPING"):
        v2.create_api_mapping(DomainName=name, ApiMappingKey="orders", ApiId=orders, Stage="prod")
        made = v2.create_api_mapping(DomainName=name, ApiMappingKey="orders/v1/items", ApiId=items, Stage="prod")
        assert plainly(platform, name, "/orders/v1/items/hello")[1]["matched"] == "orders/v1/items"
        assert plainly(platform, name, "/orders/hello")[1]["api"] == "orders"
        assert plainly(platform, name, "/orders/v1/hello")[0] == 403
        rule = v2.create_routing_rule(
            DomainName=name,
            Priority=10,
            Conditions=[
                {"MatchHeaders": {"AnyOf": [{"Header": "X-Version", "ValueGlob": "beta*"}]}},
                {"MatchBasePaths": {"AnyOf": ["orders"]}},
            ],
            Actions=[{"InvokeApi": {"ApiId": beta, "Stage": "prod", "StripBasePath": True}}],
        )
        told = plainly(platform, name, "/orders/hello", **{"x-version": "beta-2"})[1]
        assert (told["api"], told["rule"]) == ("beta", rule["RoutingRuleId"])
        assert plainly(platform, name, "/orders/hello", **{"x-version": "alpha"})[1]["api"] == "orders"
        assert [each["Priority"] for each in v2.list_routing_rules(DomainName=name)["RoutingRules"]] == [10]
        v2.put_routing_rule(
            DomainName=name,
            RoutingRuleId=rule["RoutingRuleId"],
            Priority=20,
            Conditions=[],
            Actions=[{"InvokeApi": {"ApiId": beta, "Stage": "prod"}}],
        )
        assert plainly(platform, name, "/hello")[1]["api"] == "beta"
        same = {"Conditions": [], "Actions": [{"InvokeApi": {"ApiId": beta, "Stage": "prod"}}]}
        assert refusal(v2.create_routing_rule, DomainName=name, Priority=20, **same)[0] == "ConflictException"
        v2.delete_routing_rule(DomainName=name, RoutingRuleId=rule["RoutingRuleId"])
        assert (
            refusal(v2.get_routing_rule, DomainName=name, RoutingRuleId=rule["RoutingRuleId"])[0] == "NotFoundException"
        )
        changed = v2.update_api_mapping(
            DomainName=name, ApiMappingId=made["ApiMappingId"], ApiId=items, ApiMappingKey="items"
        )
        assert changed["ApiMappingKey"] == "items"
        assert plainly(platform, name, "/items/hello")[1]["api"] == "items"
        assert len(v2.get_api_mappings(DomainName=name)["Items"]) == 2
        v2.delete_api_mapping(DomainName=name, ApiMappingId=made["ApiMappingId"])
        assert refusal(v2.get_api_mapping, DomainName=name, ApiMappingId=made["ApiMappingId"])[0] == "NotFoundException"


def test_a_domain_name_by_v2_is_the_same_by_v1(platform) -> None:
    v1, v2 = platform.client("apigateway"), platform.client("apigatewayv2")
    name = "two.shop.localhost"
    arn = a_certificate(platform, name)
    made = v2.create_domain_name(
        DomainName=name, DomainNameConfigurations=[{"CertificateArn": arn, "EndpointType": "REGIONAL"}], Tags={"a": "1"}
    )
    assert made["DomainNameConfigurations"][0]["DomainNameStatus"] == "AVAILABLE"
    assert v1.get_domain_name(domainName=name)["regionalCertificateArn"] == arn
    changed = v2.update_domain_name(DomainName=name, RoutingMode="ROUTING_RULE_ONLY")
    assert changed["RoutingMode"] == "ROUTING_RULE_ONLY"
    assert v1.get_domain_name(domainName=name)["routingMode"] == "ROUTING_RULE_ONLY"
    assert name in [item["DomainName"] for item in v2.get_domain_names()["Items"]]
    v2.tag_resource(ResourceArn=made["DomainNameArn"], Tags={"b": "2"})
    v1.untag_resource(resourceArn=made["DomainNameArn"], tagKeys=["a"])
    assert v2.get_tags(ResourceArn=made["DomainNameArn"])["Tags"] == {"b": "2"}
    assert v1.get_tags(resourceArn=made["DomainNameArn"])["tags"] == {"b": "2"}
    v2.delete_domain_name(DomainName=name)
    assert refusal(v2.get_domain_name, DomainName=name)[0] == "NotFoundException"


def test_a_wildcard_domain_serves_every_label_and_the_exact_name_comes_first(platform) -> None:
    aws = platform.client("apigateway")
    wild, exact = an_api(platform, "wild"), an_api(platform, "exact")
    with a_domain(platform, "*.wild.localhost"), a_domain(platform, "one.wild.localhost"):
        aws.create_base_path_mapping(domainName="*.wild.localhost", restApiId=wild, stage="prod")
        aws.create_base_path_mapping(domainName="one.wild.localhost", restApiId=exact, stage="prod")
        assert over_tls(platform, "two.wild.localhost", "/hello")[1]["domain"] == "two.wild.localhost"
        assert over_tls(platform, "two.wild.localhost", "/hello")[1]["api"] == "wild"
        assert over_tls(platform, "one.wild.localhost", "/hello")[1]["api"] == "exact"
        assert plainly(platform, "a.two.wild.localhost", "/hello") == FORBIDDEN


def test_an_api_without_its_default_endpoint_is_reached_by_its_domain_name_only(platform) -> None:
    aws = platform.client("apigateway")
    api = an_api(platform, "hidden")
    patches = [{"op": "replace", "path": "/disableExecuteApiEndpoint", "value": "true"}]
    aws.update_rest_api(restApiId=api, patchOperations=patches)
    aws.create_deployment(restApiId=api, stageName="prod")
    with a_domain(platform, "hidden.shop.localhost"):
        aws.create_base_path_mapping(domainName="hidden.shop.localhost", restApiId=api, stage="prod")
        assert plainly(platform, "hidden.shop.localhost", "/hello")[0] == 200
        assert plainly(platform, f"{api}.execute-api.localhost", "/prod/hello") == FORBIDDEN


def test_a_name_is_an_apis_or_a_user_pools(platform) -> None:
    """Who may make domain names must not get at what is typed into somebody else's sign-in page, nor the other way."""
    pools, aws = platform.client("cognito-idp"), platform.client("apigateway")
    pool = pools.create_user_pool(PoolName="domains")["UserPool"]["Id"]
    name = "taken.shop.localhost"
    arn = a_certificate(platform, name)
    custom = {"Domain": name, "UserPoolId": pool, "CustomDomainConfig": {"CertificateArn": arn}}
    with a_domain(platform, name), pytest.raises(ClientError, match="already associated"):
        pools.create_user_pool_domain(**custom)
    pools.create_user_pool_domain(**custom)
    params = {"endpointConfiguration": {"types": ["REGIONAL"]}, "regionalCertificateArn": arn}
    with pytest.raises(ClientError, match="already exists"):
        aws.create_domain_name(domainName=name, **params)
    pools.delete_user_pool_domain(Domain=name, UserPoolId=pool)


def test_mutual_tls_lets_nobody_in_without_a_certificate_by_any_door(platform, tmp_path) -> None:
    aws = platform.client("apigateway")
    clients = an_authority("shop.test")
    from gatepost.security.certificates import pem_of

    store = platform.upload(pem_of(clients.certificate).encode())
    api = an_api(platform, "guarded")
    name = "mtls.shop.localhost"
    trust = {"truststoreUri": f"s3://gatepost-assets/{store}"}
    with a_domain(platform, name, mutualTlsAuthentication=trust), a_domain(platform, "open.shop.localhost"):
        aws.create_base_path_mapping(domainName=name, restApiId=api, stage="prod")
        context = trusting(platform)
        with pytest.raises((ssl.SSLError, ConnectionResetError, IndexError)):
            over_tls(platform, name, "/hello", context=context)
        assert plainly(platform, name, "/hello") == FORBIDDEN
        assert over_tls(platform, "open.shop.localhost", "/hello", host=name) == FORBIDDEN
        context.load_cert_chain(*a_client_certificate(clients).in_files(tmp_path, "client"))
        assert over_tls(platform, "open.shop.localhost", "/hello", host=name, context=context) == FORBIDDEN
        told = over_tls(platform, name, "/hello", context=context)[1]
        assert told["subject"] == "CN=client.shop.test"
        assert told["serial"] == "a1:b2:c3"
        patches = [{"op": "replace", "path": "/mutualTlsAuthentication/truststoreUri", "value": ""}]
        aws.update_domain_name(domainName=name, patchOperations=patches)
        assert over_tls(platform, name, "/hello")[0] == 200


def test_a_certificate_imported_again_serves_the_next_handshake(platform) -> None:
    acm, aws = platform.client("acm"), platform.client("apigateway")
    authority = an_authority("shop.test")

    def imported(**more):
        pair = issued(authority, "renew.shop.test")
        chain = {"Certificate": pair.certificate.encode(), "PrivateKey": pair.key}
        return acm.import_certificate(**chain, CertificateChain=pair.chain.encode(), **more)["CertificateArn"]

    arn = imported()
    name = "renew.shop.test"
    aws.create_domain_name(domainName=name, regionalCertificateArn=arn, endpointConfiguration={"types": ["REGIONAL"]})
    from tests.support.tls import a_trusting_context

    context = a_trusting_context(authority)

    def serial():
        _, tls = asyncio.run(exchange(tls_port(platform), context, server_name=name))
        return tls.getpeercert()["serialNumber"]

    before = serial()
    imported(CertificateArn=arn)
    assert serial() != before
    assert refusal(acm.delete_certificate, CertificateArn=arn)[0] == "ResourceInUseException"
    aws.delete_domain_name(domainName=name)
    acm.delete_certificate(CertificateArn=arn)


def test_a_strict_domain_wants_host_and_server_name_to_agree(platform) -> None:
    aws = platform.client("apigateway")
    api = an_api(platform, "strict")
    name = "strict.shop.localhost"
    policy = {"securityPolicy": "SecurityPolicy_TLS13_1_3_2025_09", "endpointAccessMode": "STRICT"}
    with a_domain(platform, name, **policy), a_domain(platform, "lax.shop.localhost"):
        aws.create_base_path_mapping(domainName=name, restApiId=api, stage="prod")
        assert over_tls(platform, name, "/hello")[0] == 200
        assert over_tls(platform, "lax.shop.localhost", "/hello", host=name) == FORBIDDEN
        context = trusting(platform)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            over_tls(platform, name, "/hello", context=context)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"domainName": "nolabels"}, "not a valid domain name"),
        ({"domainName": "UPPER.shop.localhost"}, "not a valid domain name"),
        ({"domainName": "a..shop.localhost"}, "not a valid domain name"),
        ({"domainName": "other.localhost"}, "not covered"),
        ({"domainName": "x.execute-api.localhost"}, "platform's own"),
        ({"domainName": "shop.auth.us-east-1.localhost"}, "platform's own"),
        ({"domainName": "*.us-east-1.amazonaws.com"}, "platform's own"),
        ({"domainName": "host.docker.internal"}, "platform's own"),
        ({"domainName": "127.0.0.1"}, "not a valid domain name"),
        ({"endpointConfiguration": {"types": ["PRIVATE"]}}, "PRIVATE"),
        ({"endpointConfiguration": {"types": ["REGIONAL", "EDGE"]}}, "one endpoint type"),
        ({"endpointConfiguration": {"types": ["EDGE"]}}, "Cannot specify regionalCertificateArn"),
        ({"regionalCertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/none"}, "no such certificate"),
        ({"regionalCertificateArn": ""}, "regionalCertificateArn is required"),
        ({"securityPolicy": "SecurityPolicy_TLS13_1_2_PQ_2025_09", "endpointAccessMode": "BASIC"}, "post-quantum"),
        ({"securityPolicy": "SecurityPolicy_TLS13_1_3_2025_09"}, "endpointAccessMode is required"),
        ({"endpointAccessMode": "STRICT"}, "needs a security policy"),
        ({"certificateBody": "x", "certificatePrivateKey": "y"}, "import the certificate into ACM"),
        ({"mutualTlsAuthentication": {"truststoreUri": "s3://bucket/key"}}, "Invalid truststoreUri"),
        ({"mutualTlsAuthentication": {"truststoreUri": "s3://gatepost-assets/" + "0" * 64}}, "no such file"),
        ({"policy": "{}"}, "private domain names"),
        ({"tags": {"aws:a": "b"}}, "Invalid tag key"),
    ],
)
def test_domain_names_that_cannot_be_are_refused(platform, params, words) -> None:
    aws = platform.client("apigateway")
    base = {
        "domainName": "bad.shop.localhost",
        "regionalCertificateArn": a_certificate(platform, "bad.shop.localhost"),
        "endpointConfiguration": {"types": ["REGIONAL"]},
    }
    code, message = refusal(aws.create_domain_name, **(base | params))
    assert code == "BadRequestException"
    assert words in message


def test_patches_of_a_domain_name(platform) -> None:
    aws = platform.client("apigateway")
    name = "patched.shop.localhost"
    with a_domain(platform, name):

        def patched(path, value, op="replace"):
            operation = {"op": op, "path": path, "value": value}
            return aws.update_domain_name(domainName=name, patchOperations=[operation])

        arn = a_certificate(platform, name)
        assert patched("/regionalCertificateArn", arn)["regionalCertificateArn"] == arn
        assert patched("/securityPolicy", "TLS_1_0")["securityPolicy"] == "TLS_1_0"
        assert patched("/routingMode", "ROUTING_RULE_ONLY")["routingMode"] == "ROUTING_RULE_ONLY"
        assert patched("/endpointConfiguration/ipAddressType", "dualstack")["endpointConfiguration"] == {
            "types": ["REGIONAL"],
            "ipAddressType": "dualstack",
        }
        assert patched("/regionalCertificateName", "mine")["regionalCertificateName"] == "mine"
        for path, value in (
            ("/nothing", "x"),
            ("/securityPolicy", "TLS_9"),
            ("/routingMode", "x"),
            ("/certificateArn", arn),
            ("/regionalCertificateArn", "arn:of:nothing"),
            ("/endpointConfiguration/types/0", "PRIVATE"),
        ):
            with pytest.raises(ClientError):
                patched(path, value)
        edge = aws.update_domain_name(
            domainName=name,
            patchOperations=[{"op": "replace", "path": "/endpointConfiguration/types/REGIONAL", "value": "EDGE"}],
        )
        assert edge["distributionDomainName"].endswith(".cloudfront.net")


def test_a_domain_name_exists_once(platform) -> None:
    aws = platform.client("apigateway")
    with a_domain(platform, "once.shop.localhost") as made:
        again = {
            "domainName": "once.shop.localhost",
            "regionalCertificateArn": made["regionalCertificateArn"],
            "endpointConfiguration": {"types": ["REGIONAL"]},
        }
        assert refusal(aws.create_domain_name, **again)[0] == "ConflictException"
        assert "once.shop.localhost" in [each["domainName"] for each in aws.get_domain_names()["items"]]
        assert aws.get_domain_names(resourceOwner="OTHER_ACCOUNTS")["items"] == []


CALLER = """
import http.client, json, socket, ssl


def handler(event, context):
    raw = socket.create_connection(("127.0.0.1", event["port"]), timeout=5)
    connection = http.client.HTTPConnection(event["host"])
    connection.sock = ssl.create_default_context().wrap_socket(raw, server_hostname=event["host"])
    connection.request("GET", "/hello")
    return json.loads(connection.getresponse().read())
"""


def test_a_function_trusts_the_local_authority(platform) -> None:
    aws, functions = platform.client("apigateway"), platform.client("lambda")
    api = an_api(platform, "called")
    role = platform.client("iam").create_role(
        RoleName="caller-of-tls",
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            }
        ),
    )["Role"]["Arn"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("caller.py", CALLER)
    functions.create_function(
        FunctionName="caller-of-tls",
        Runtime=f"python3.{sys.version_info.minor}",
        Handler="caller.handler",
        Role=role,
        Timeout=10,
        Code={"ZipFile": packed.getvalue()},
    )
    with a_domain(platform, "called.shop.localhost"):
        aws.create_base_path_mapping(domainName="called.shop.localhost", restApiId=api, stage="prod")
        event = {"host": "called.shop.localhost", "port": tls_port(platform)}
        answer = functions.invoke(FunctionName="caller-of-tls", Payload=json.dumps(event))
        told = json.loads(answer["Payload"].read())
        assert told.get("api") == "called", told
    functions.delete_function(FunctionName="caller-of-tls")
