"""Which trace header a function with active tracing sees."""

from __future__ import annotations

from gatepost.services.lambda_.runner.tracing import actively_traced

REQUEST = "70da0726-e333-4b1e-92ec-40fe0d89cb6a"
ROOT = "Root=1-5759e988-bd862e3fe1be46a994272793"


def test_an_invocation_without_a_trace_begins_one_that_is_sampled() -> None:
    header = actively_traced("", REQUEST, 0x5759E988)
    assert header == "Root=1-5759e988-e3334b1e92ec40fe0d89cb6a;Parent=70da0726e3334b1e;Sampled=1"


def test_a_callers_trace_goes_on_and_its_decision_stands() -> None:
    assert actively_traced(ROOT, REQUEST, 1) == f"{ROOT};Parent=70da0726e3334b1e;Sampled=1"
    assert actively_traced(f"{ROOT};Sampled=0", REQUEST, 1) == f"{ROOT};Sampled=0"
