import json

from gatepost.cli.stack_deployment import Deployer, Target
from gatepost.templates.packaging import Packaged
from gatepost.templates.stack_tags import FILE_TAG, LENIENT_TAG


def test_a_template_with_a_name_that_is_no_utf8_can_be_deployed():
    tags = Deployer._tags(Target("shop", Packaged("t\udcff.yaml", "{}"), {}))
    assert tags == {FILE_TAG: "t?.yaml"}
    json.dumps(tags).encode()


def test_leniency_goes_with_the_stack():
    assert Deployer._tags(Target("shop", Packaged("t.yaml", "{}"), {}, is_lenient=True))[LENIENT_TAG] == "true"
