"""OpenAPI documents as SAM writes them, as AWS's guide shows them, and as people do."""

from __future__ import annotations

import json
from typing import Any

from tests.support.rest_apis import FUNCTION_URI


def a_lambda(**more: Any) -> dict[str, Any]:
    return {"httpMethod": "POST", "type": "aws_proxy", "uri": FUNCTION_URI, **more}


def a_cors_method() -> dict[str, Any]:
    headers = ("Access-Control-Allow-Origin", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods")
    return {
        "summary": "CORS support",
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": {"application/json": '{\n  "statusCode" : 200\n}\n'},
            "responses": {
                "default": {
                    "statusCode": "200",
                    "responseTemplates": {"application/json": "{}\n"},
                    "responseParameters": {f"method.response.header.{name}": "'*'" for name in headers},
                }
            },
        },
        "responses": {
            "200": {
                "description": "Default response for CORS method",
                "headers": {name: {"type": "string"} for name in headers},
            }
        },
    }


def a_sam_body() -> dict[str, Any]:
    """What SAM's translator makes of an AWS::Serverless::Api with CORS, IAM and a gateway response."""
    return {
        "swagger": "2.0",
        "info": {"version": "1.0", "title": "shop"},
        "paths": {
            "/orders/{id}": {
                "options": a_cors_method(),
                "get": {
                    "x-amazon-apigateway-integration": a_lambda(),
                    "security": [{"AWS_IAM": []}],
                    "parameters": [{"required": False, "type": "string", "name": "page", "in": "query"}],
                    "responses": {},
                },
            },
            "/orders": {
                "options": a_cors_method(),
                "get": {
                    "x-amazon-apigateway-integration": a_lambda(),
                    "security": [{"NONE": []}],
                    "responses": {},
                },
            },
            "/files/{proxy+}": {
                "options": a_cors_method(),
                "x-amazon-apigateway-any-method": {
                    "x-amazon-apigateway-integration": a_lambda(),
                    "responses": {},
                },
            },
        },
        "x-amazon-apigateway-gateway-responses": {
            "DEFAULT_4XX": {
                "responseParameters": {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"},
                "responseTemplates": {},
            }
        },
        "securityDefinitions": {
            "AWS_IAM": {
                "in": "header",
                "type": "apiKey",
                "name": "Authorization",
                "x-amazon-apigateway-authtype": "awsSigv4",
            }
        },
        "x-amazon-apigateway-binary-media-types": ["image/png"],
    }


def a_document(paths: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A Swagger 2.0 document."""
    return {"swagger": "2.0", "info": {"title": "shop", "version": "1"}, "paths": paths or {}, **more}


def a_document_3(paths: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """An OpenAPI 3.0 document."""
    return {"openapi": "3.0.1", "info": {"title": "shop", "version": "1"}, "paths": paths or {}, **more}


def bytes_of(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


PETSTORE_YAML = b"""
openapi: 3.0.3
info:
  title: Pet store
  version: 2026-01-31
  description: Pets, as everybody knows them
servers:
  - url: https://petstore.example.com/v1
paths:
  /pets:
    parameters:
      - $ref: '#/components/parameters/Limit'
    get:
      operationId: listPets
      parameters:
        - {name: X-Trace, in: header, schema: {type: string}}
        - {name: session, in: cookie, schema: {type: string}}
      responses:
        200:
          description: A page of pets
          headers:
            x-next: {schema: {type: string}}
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Pets'}
        default:
          description: Anything else
      x-amazon-apigateway-integration:
        type: http_proxy
        httpMethod: GET
        uri: http://petstore-demo-endpoint.execute-api.com/petstore/pets
        passthroughBehavior: when_no_match
        timeoutInMillis: 5000
        requestParameters:
          integration.request.querystring.limit: method.request.querystring.limit
        responses:
          default: {statusCode: 200}
    post:
      operationId: createPet
      requestBody: {$ref: '#/components/requestBodies/NewPet'}
      responses:
        '201': {description: Made}
      x-amazon-apigateway-integration: {$ref: '#/components/x-amazon-apigateway-integrations/pets'}
  /pets/{petId}:
    get:
      operationId: showPet
      parameters:
        - {name: petId, in: path, required: true, schema: {type: string}}
      responses:
        '200':
          description: A pet
          content:
            application/json:
              schema: {type: object, properties: {pet: {$ref: '#/components/schemas/Pet'}}}
      x-amazon-apigateway-integration:
        type: http_proxy
        httpMethod: GET
        uri: http://petstore-demo-endpoint.execute-api.com/petstore/pets/{petId}
        requestParameters:
          integration.request.path.petId: method.request.path.petId
components:
  x-amazon-apigateway-integrations:
    pets:
      type: mock
      requestTemplates:
        application/json: '{"statusCode": 201}'
      responses:
        default: {statusCode: 201, responseTemplates: {application/json: '{}'}}
  parameters:
    Limit: {name: limit, in: query, required: false, schema: {type: integer}}
  requestBodies:
    NewPet:
      content:
        application/json:
          schema: {$ref: '#/components/schemas/Pet'}
  schemas:
    Pet:
      type: object
      required: [id]
      properties:
        id: {type: integer}
        parent: {$ref: '#/components/schemas/Pet'}
    Pets:
      type: array
      items: {$ref: '#/components/schemas/Pet'}
"""
