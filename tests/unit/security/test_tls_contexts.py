"""TLS contexts: policies by AWS's names."""

import ssl

import pytest

from gatepost.security.tls_contexts import POLICIES, BadContext, server_context, unsupported_policy
from tests.support.tls import an_authority, issued


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_each_policy_that_is_accepted_makes_a_context():
    pair = issued(an_authority(), "localhost")
    for name, policy in POLICIES.items():
        assert unsupported_policy(name) == ""
        context = server_context(name, pair.certificate, pair.key)
        assert context.minimum_version == policy.oldest
        assert context.options & ssl.OP_NO_RENEGOTIATION


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09", "post-quantum"),
        ("SecurityPolicy_TLS13_1_3_FIPS_2025_09", "FIPS 140"),
        ("SecurityPolicy_TLS14_2030", "not supported by Gatepost"),
    ],
)
def test_a_policy_that_cannot_be_enforced_is_refused_with_the_reason(name, why):
    assert why in unsupported_policy(name)


def test_what_openssl_does_not_take_is_said():
    pair, other = issued(an_authority(), "localhost"), issued(an_authority(), "localhost")
    with pytest.raises(BadContext):
        server_context("TLS_1_2", pair.certificate, other.key)
    with pytest.raises(BadContext):
        server_context("TLS_1_2", pair.certificate, pair.key, trust_store_pem="nonsense")
