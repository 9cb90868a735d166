from pathlib import Path

import pytest

from gatepost.cli.naming import stack_name_of, template_of
from gatepost.kernel.errors import SettingsError


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/w/securecart/template.yaml", "securecart"),
        ("/w/securecart/orders.yaml", "orders"),
        ("/w/my shop!/template.json", "my-shop"),
        ("/w/shop/.aws-sam/build/template.yaml", "shop"),
        ("/w/123/template.yaml", "stack-123"),
        ("/w/" + "x" * 200 + "/template.yaml", "x" * 128),
    ],
)
def test_a_stack_is_named_for_its_templates_folder(path, name):
    assert stack_name_of(Path(path)) == name


def test_a_folder_means_the_template_in_it(tmp_path):
    (tmp_path / "template.yml").write_text("Resources: {}")
    assert template_of(tmp_path) == tmp_path / "template.yml"
    assert template_of(tmp_path / "template.yml") == tmp_path / "template.yml"


def test_a_folder_without_a_template_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"holds no template\.yaml"):
        template_of(tmp_path)
