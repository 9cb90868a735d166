import pytest

from tests.support.templates import compiled

TEMPLATE = """
Resources:
  Api:
    Type: AWS::ApiGateway::RestApi
    Properties:
      Name: shop
      Body:
        openapi: 3.0.1
        info: {title: shop, version: "1"}
        paths:
          /orders:
            get:
              %(security)s
              x-amazon-apigateway-integration:
                type: mock
                requestTemplates: {application/json: '{"statusCode": 200}'}
                cacheKeyParameters: [%(key)s]
        components:
          securitySchemes:
            api_key: {type: apiKey, name: x-api-key, in: header}
            pool:
              type: apiKey
              name: Authorization
              in: header
              x-amazon-apigateway-authtype: cognito_user_pools
              x-amazon-apigateway-authorizer:
                type: cognito_user_pools
                providerARNs: [arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_abcdefghi]
  Deployment:
    Type: AWS::ApiGateway::Deployment
    Properties: {RestApiId: !Ref Api}
  Stage:
    Type: AWS::ApiGateway::Stage
    Properties:
      RestApiId: !Ref Api
      StageName: prod
      DeploymentId: !Ref Deployment
      CacheClusterEnabled: %(cluster)s
      CacheClusterSize: "0.5"
      MethodSettings:
        - {ResourcePath: %(path)s, HttpMethod: "%(verb)s", CachingEnabled: true}
"""
USUAL = {
    "security": "security: [{pool: []}]",
    "key": "method.request.querystring.page",
    "cluster": "true",
    "path": "/orders",
    "verb": "GET",
}


def warnings(**changes):
    return [line for line in compiled(TEMPLATE % (USUAL | changes)).warnings() if "share its cached answers" in line]


@pytest.mark.parametrize("changes", [{}, {"path": '"/*"', "verb": "*"}])
def test_callers_who_would_share_answers_are_told_of(changes):
    (line,) = warnings(**changes)
    assert line.startswith("as on AWS: template.yaml:3: ")
    assert "callers of GET /orders share" in line


@pytest.mark.parametrize(
    "changes",
    [
        {"security": "security: []"},
        {"security": "security: [{api_key: []}]"},
        {"key": "method.request.header.Authorization"},
        {"cluster": "false"},
        {"path": "/others"},
        {"path": '"/*"', "verb": "POST"},
    ],
)
def test_nobody_is_told_of_where_answers_are_public_keyed_or_not_cached(changes):
    assert warnings(**changes) == []
