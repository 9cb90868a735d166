"""What targets get of an event."""

from __future__ import annotations

import json

import pytest

from gatepost.services.events.inputs import BadInput, check_target_input, follow, parse_path, payload_of

EVENT = {"detail": {"a": {"b": [10, {"c": "x"}]}, "quoted": 'say "hi"'}, "detail-type": "t"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", EVENT),
        ("$.detail.a.b[0]", 10),
        ("$.detail.a.b[1].c", "x"),
        ("$['detail']['a'].b[1]['c']", "x"),
        ("$.detail-type", "t"),
        ("$.detail.a.b[*].c", [None, "x"]),
        ("$.detail.none", None),
        ("$.detail.a.b[7]", None),
    ],
)
def test_a_path_leads_to_a_value(path: str, found) -> None:
    assert follow(parse_path(path), EVENT) == found


@pytest.mark.parametrize("path", ["detail", "$..a", "$.a[", "$.a[x]"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(BadInput):
        parse_path(path)


def given(template: str, **paths: str) -> str:
    target = {"Id": "t", "InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}
    check_target_input(target)
    return payload_of(target, EVENT, rule_arn="arn:r", rule_name="r", now_ms=0).decode()


def test_a_value_stands_as_json_or_as_text_between_quotation_marks() -> None:
    template = '{"a": <list>, "b": <text>, "c": "it is <text> in <list>", "d": <none>}'
    paths = {"list": "$.detail.a.b", "text": "$.detail.quoted", "none": "$.none"}
    assert json.loads(given(template, **paths)) == {
        "a": [10, {"c": "x"}],
        "b": 'say "hi"',
        "c": 'it is say "hi" in [10,{"c":"x"}]',
        "d": None,
    }


def test_a_template_may_be_a_text() -> None:
    assert given('"<c> <aws.events.rule-name> <aws.events.event.ingestion-time>"', c="$.detail.a.b[1].c") == (
        '"x r 1970-01-01T00:00:00.000Z"'
    )


def test_the_whole_event_can_stand_in_a_template() -> None:
    found = json.loads(given('{"all": <aws.events.event.json>, "head": <aws.events.event>}'))
    assert found == {"all": EVENT, "head": {"detail-type": "t"}}
