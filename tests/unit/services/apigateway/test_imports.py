from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.kernel.errors import AccessDeniedException
from gatepost.services.apigateway import imports
from gatepost.services.apigateway.model import BadRequestException, NotFoundException
from gatepost.services.apigateway.openapi_document import Findings
from gatepost.services.apigateway.openapi_import import put_into, read_api
from tests.support.openapi_bodies import PETSTORE_YAML, a_document, a_document_3, a_lambda, a_sam_body, bytes_of
from tests.support.rest_apis import Control, with_control
from tests.unit.services.apigateway.test_openapi_import import EMPTY, MOCK

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}]}


async def paths_of(control: Control, api_id: str) -> dict[str, list[str]]:
    items = (await control("GetResources", restApiId=api_id, limit=500))["items"]
    return {each["path"]: sorted(each.get("resourceMethods", ())) for each in items}


def test_a_document_becomes_an_api_that_can_be_deployed(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control(
            "ImportRestApi",
            body=bytes_of(a_sam_body()),
            parameters={"endpointConfigurationTypes": "REGIONAL", "mode": "import"},
        )
        assert api["name"] == "shop"
        assert api["endpointConfiguration"]["types"] == ["REGIONAL"]
        assert api["binaryMediaTypes"] == ["image/png"]
        assert "warnings" not in api
        assert (await paths_of(control, api["id"]))["/orders"] == ["GET", "OPTIONS"]
        await control("CreateDeployment", restApiId=api["id"], stageName="prod")
        assert f"{api['id']}/prod" in control.changes.held

    with_control(tmp_path, scenario)


def test_warnings_are_told_or_end_the_import(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control("ImportRestApi", body=PETSTORE_YAML)
        assert api["warnings"] == ["Parameter 'session' in 'cookie' is not supported and was ignored"]
        with pytest.raises(BadRequestException, match="Warnings found during import:\n\tParameter 'session'"):
            await control("ImportRestApi", body=PETSTORE_YAML, failOnWarnings=True)
        assert len((await control("GetRestApis"))["items"]) == 1

    with_control(tmp_path, scenario)


def test_errors_leave_nothing_behind(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        bad = bytes_of(a_document({"/a b": MOCK, "/ok": MOCK}))
        with pytest.raises(BadRequestException, match=r"^Errors found during import:\n\tUnable to create resource"):
            await control("ImportRestApi", body=bad)
        assert (await control("GetRestApis"))["items"] == []
        api = await control.an_api()
        with pytest.raises(BadRequestException, match="Errors found during import"):
            await control("PutRestApi", restApiId=api["id"], body=bad)
        assert await control("GetRestApi", restApiId=api["id"]) == api
        assert await paths_of(control, api["id"]) == {"/": []}

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"basepath": "append"}, "Invalid basepath mode append"),
        ({"endpointConfigurationTypes": "LOCAL"}, "Invalid endpoint type LOCAL"),
        ({"endpointConfigurationTypes": "GLOBAL"}, "Invalid endpoint type GLOBAL"),
        ({"endpointConfigurationTypes": "EDGE,REGIONAL"}, "multiple Endpoint Types"),
        ({"ignore": "everything"}, "parameter ignore"),
        ({"vpcEndpointIds": "vpce-1"}, "does not support the import parameter vpcendpointids"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(tmp_path, parameters: dict, words: str) -> None:
    async def scenario(control: Control) -> None:
        with pytest.raises(BadRequestException, match=words):
            await control("ImportRestApi", body=bytes_of(a_document()), parameters=parameters)

    with_control(tmp_path, scenario)


def test_documentation_may_be_ignored_by_name(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        await control("ImportRestApi", body=bytes_of(a_document()), parameters={"ignore": "documentation"})

    with_control(tmp_path, scenario)


def test_an_api_needs_a_title(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        with pytest.raises(BadRequestException, match=r"info\.title is missing"):
            await control("ImportRestApi", body=bytes_of({**a_document(), "info": {}}))

    with_control(tmp_path, scenario)


def test_the_base_path_parameter_counts(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        body = bytes_of(a_document({"/e": MOCK}, basePath="/a/b"))
        api = await control("ImportRestApi", body=body, parameters={"basepath": "prepend"})
        assert set(await paths_of(control, api["id"])) == {"/", "/a", "/a/b", "/a/b/e"}

    with_control(tmp_path, scenario)


def test_overwriting_replaces_what_an_api_consists_of(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api(binaryMediaTypes=["a/b"], description="old", policy=json.dumps(POLICY))
        await control.a_method(api, "/old")
        changed = await control(
            "PutRestApi", restApiId=api["id"], mode="overwrite", body=bytes_of(a_document({"/new": MOCK}))
        )
        assert changed["name"] == "shop"
        assert changed["version"] == "1"
        assert "description" not in changed
        assert "binaryMediaTypes" not in changed
        assert changed["policy"] == json.dumps(POLICY), "a silent document must not open the API"
        assert await paths_of(control, api["id"]) == {"/": [], "/new": ["GET"]}
        assert await control("GetRestApi", restApiId=api["id"]) == changed

    with_control(tmp_path, scenario)


def test_merging_is_the_default_and_keeps_what_is_not_said(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api(binaryMediaTypes=["a/b"], description="old")
        await control.a_method(api, "/old")
        changed = await control("PutRestApi", restApiId=api["id"], body=bytes_of(a_document({"/new": MOCK})))
        assert (changed["description"], changed["binaryMediaTypes"]) == ("old", ["a/b"])
        assert await paths_of(control, api["id"]) == {"/": [], "/new": ["GET"], "/old": ["GET"]}
        models = await control("GetModels", restApiId=api["id"])
        assert [each["name"] for each in models["items"]] == ["Empty", "Error"]

    with_control(tmp_path, scenario)


def test_an_import_does_not_change_the_endpoint_type_and_says_so(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        changed = await control(
            "PutRestApi",
            restApiId=api["id"],
            body=bytes_of(a_document()),
            parameters={"endpointConfigurationTypes": "REGIONAL"},
        )
        assert changed["endpointConfiguration"]["types"] == ["EDGE"]
        assert changed["warnings"] == ["An import does not change the endpoint type of an API: use UpdateRestApi"]

    with_control(tmp_path, scenario)


def test_stages_keep_their_deployment(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        await control.a_method(api, "/old")
        await control("CreateDeployment", restApiId=api["id"], stageName="prod")
        told = len(control.changes.told)
        await control("PutRestApi", restApiId=api["id"], mode="overwrite", body=bytes_of(a_document({"/new": MOCK})))
        assert len(control.changes.told) == told

    with_control(tmp_path, scenario)


def test_an_unknown_api_is_not_found_before_the_document_is_read(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        with pytest.raises(NotFoundException):
            await control("PutRestApi", restApiId="nothing", body=b"nonsense")

    with_control(tmp_path, scenario)


def test_a_policy_in_a_document_needs_the_permission_to_set_one(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        body = bytes_of(a_document({"/": MOCK}, **{"x-amazon-apigateway-policy": POLICY}))
        api = await control.an_api()
        for operation, more in (("ImportRestApi", {}), ("PutRestApi", {"restApiId": api["id"]})):
            with pytest.raises(AccessDeniedException, match="UpdateRestApiPolicy"):
                await control(operation, body=body, **more)
        resources = [each.resource for each in control.authorization.asked]
        assert resources == [
            "arn:aws:apigateway:us-east-1::/restapis",
            f"arn:aws:apigateway:us-east-1::/restapis/{api['id']}",
        ]
        assert len((await control("GetRestApis"))["items"]) == 1

    with_control(tmp_path, scenario, denied=("apigateway:UpdateRestApiPolicy",))


def test_a_role_in_a_document_must_be_passable(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        role = "arn:aws:iam::000000000000:role/caller"
        get = {"x-amazon-apigateway-integration": a_lambda(credentials=role)}
        with pytest.raises(AccessDeniedException, match="iam:PassRole"):
            await control("ImportRestApi", body=bytes_of(a_document({"/a": {"get": get}, "/b": {"get": get}})))
        assert [each.resource for each in control.authorization.asked] == [role]

    with_control(tmp_path, scenario, denied=("iam:PassRole",))


def test_a_large_document_is_read_in_a_thread_with_the_same_result(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "INLINE_BYTES_MAX", 10)

    async def scenario(control: Control) -> None:
        api = await control("ImportRestApi", body=PETSTORE_YAML)
        assert "/pets/{petId}" in await paths_of(control, api["id"])
        with pytest.raises(BadRequestException, match="Invalid OpenAPI input"):
            await control("ImportRestApi", body=b"[" * 100)

    with_control(tmp_path, scenario)


parts = st.sampled_from(["a", "b", "{id}", "c.d", "{proxy+}"])
paths = st.lists(parts, max_size=3).map(lambda names: "/" + "/".join(names))
items = st.dictionaries(st.sampled_from(["get", "post", "x-amazon-apigateway-any-method"]), st.just(MOCK["get"]))
documents = st.builds(
    lambda makes, found, models: makes(found, **({"definitions": models} if makes is a_document else {})),
    st.sampled_from([a_document, a_document_3]),
    st.dictionaries(paths, items, max_size=6),
    st.dictionaries(st.sampled_from(["A", "B"]), st.just({"type": "object"})),
)


@given(documents, documents, st.sampled_from(["ignore", "prepend", "split"]))
@settings(max_examples=150)
def test_an_import_done_twice_is_an_import_done_once(first: dict, second: dict, mode: str) -> None:
    def imported(document: dict, before, *, overwrites: bool):
        findings = Findings()
        return put_into("api1", before, read_api(document, mode, findings), findings, overwrites=overwrites)

    held = imported(first, EMPTY, overwrites=True)
    for overwrites in (True, False):
        once = imported(second, held, overwrites=overwrites)
        assert imported(second, once, overwrites=overwrites) == once
        assert len({each.path for each in once.resources.values()}) == len(once.resources)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "paths",
                        "/a",
                        "get",
                        "x-amazon-apigateway-integration",
                        "type",
                        "responses",
                        "200",
                        "parameters",
                        "$ref",
                        "security",
                        "info",
                        "title",
                        "definitions",
                        "schema",
                        "servers",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
@settings(max_examples=150)
def test_no_document_breaks_the_import(value: object) -> None:
    document = {**a_document(), **(value if isinstance(value, dict) else {"paths": value})}
    findings = Findings()
    try:
        put_into("api1", EMPTY, read_api(document, "prepend", findings), findings, overwrites=True)
    except BadRequestException:
        pass


def test_an_import_of_300_resources_is_one_write_for_the_whole_tree() -> None:
    with tempfile.TemporaryDirectory() as folder:

        async def scenario(control: Control) -> None:
            api = await control.an_api()
            commits = []
            store = control.provider._store
            real = store.commit

            async def counted(writes):
                commits.append(len(writes))
                return await real(writes)

            store.commit = counted
            body = bytes_of(a_document({f"/p{i}": MOCK for i in range(299)}))
            await control("PutRestApi", restApiId=api["id"], mode="overwrite", body=body)
            assert commits == [2]

        with_control(Path(folder), scenario)


def test_openapi_3_1_is_refused_as_on_aws_unless_the_operator_is_lenient(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        body = json.dumps({"openapi": "3.1.0", "info": {"title": "new"}, "paths": {}}).encode()
        with pytest.raises(BadRequestException, match=r"openapi 3\.1\.0 is not supported: use 3\.0"):
            await control("ImportRestApi", body=body)
        control.provider._imports._is_lenient = True
        assert "read as 3.0" in (await control("ImportRestApi", body=body))["warnings"][0]

    with_control(tmp_path, scenario)


def test_what_a_document_says_becomes_documentation(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        item = {"get": {"summary": "List", "responses": {}}}
        said = {"location": {"type": "API"}, "properties": {"info": {"description": "All"}}}
        document = {
            **a_document({"/orders": item}),
            "x-amazon-apigateway-documentation": {"documentationParts": [said]},
        }

        async def told(api_id: str) -> dict:
            items = (await control("GetDocumentationParts", restApiId=api_id))["items"]
            return {each["location"]["type"]: each["properties"] for each in items}

        api_id = (await control("ImportRestApi", body=bytes_of(document)))["id"]
        assert await told(api_id) == {"API": '{"info":{"description":"All"}}', "METHOD": '{"summary":"List"}'}
        silent = bytes_of(a_document({"/orders": {"get": {"responses": {}}}}))
        await control("PutRestApi", restApiId=api_id, body=silent, mode="merge")
        assert set(await told(api_id)) == {"API", "METHOD"}
        ignored = {"ignore": "documentation"}
        await control("PutRestApi", restApiId=api_id, body=silent, mode="overwrite", parameters=ignored)
        assert set(await told(api_id)) == {"API", "METHOD"}
        await control("PutRestApi", restApiId=api_id, body=silent, mode="overwrite")
        assert await told(api_id) == {}
        assert await told((await control("ImportRestApi", body=bytes_of(document), parameters=ignored))["id"]) == {}

    with_control(tmp_path, scenario)
