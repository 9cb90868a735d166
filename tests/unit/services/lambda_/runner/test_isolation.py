"""What doctor says of functions is what a zygote gets."""

from __future__ import annotations

import pytest

from gatepost.services.lambda_.runner.isolation import best_box, isolation_words
from gatepost.services.lambda_.runner.zygote import BOXES
from tests.support.functions import LiveRunner


def test_the_box_is_the_one_that_workers_get(runner: LiveRunner) -> None:
    alone = "import os\ndef handler(event, context):\n    return os.getppid() <= 1 and os.path.exists('/var/task')\n"
    boxed = runner.value(runner.deploy(alone))
    assert (best_box() == "processes") is boxed


@pytest.mark.parametrize("user", [0, 1000])
def test_each_box_has_its_sentence(monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    sentences = [isolation_words(box) for box in BOXES]
    assert len(set(sentences)) == len(BOXES)
    assert [("a user" in sentence) for sentence in sentences[:2]] == [user == 0] * 2


def test_a_kernel_that_refuses_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    assert best_box() == ""
