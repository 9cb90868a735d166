"""ACM by boto3 against an endpoint in memory: import, request, describe, list, renew, export, tags."""

import asyncio
import base64

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gatepost.kernel.clock import FixedClock
from gatepost.kernel.operations import Call
from gatepost.security.sealing import Seal
from gatepost.services.acm.model import CERTIFICATE
from gatepost.services.acm.provider import AcmProvider, _key
from gatepost.services.acm.publication import DEFAULT, KEY_PURPOSE
from gatepost.storage.records import MIGRATIONS, SqliteRecords
from gatepost.storage.sqlite import Database
from tests.support.aws_endpoints import a_client, a_loop, an_endpoint
from tests.support.rest_apis import KeptChanges
from tests.support.tls import NOW_MS, a_client_certificate, an_authority, issued

SEAL = Seal(b"k" * 32)
AUTHORITY = an_authority("shop.test")
DAY_MS = 86_400_000


class Acm:
    """A provider with what a test looks at."""

    def __init__(self, loop, records, now_ms=NOW_MS):
        self.loop = loop
        self.records = records
        self.told = KeptChanges()
        self.clock = FixedClock(now_ms)
        self.provider = AcmProvider(self.records, self.told, SEAL, self.clock, lambda: AUTHORITY)
        loop.run(self.provider.start())
        self.aws = a_client(loop.wrapped(an_endpoint(self.provider)), "acm")


@pytest.fixture
def acm(tmp_path):
    database = Database(tmp_path / "store.db", durability="process", migrations=MIGRATIONS)
    with a_loop() as loop:
        loop.run(database.open())
        yield Acm(loop, SqliteRecords(database))
        loop.run(database.close())


def imported(acm, pair, **more):
    if pair.chain:
        more["CertificateChain"] = pair.chain.encode()
    params = {"Certificate": pair.certificate.encode(), "PrivateKey": pair.key, **more}
    return acm.aws.import_certificate(**params)["CertificateArn"]


def refusal(call, **params):
    with pytest.raises(ClientError) as error:
        call(**params)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_an_imported_certificate_is_described_and_published_with_its_key_sealed(acm):
    pair = issued(AUTHORITY, "api.shop.test", "*.shop.test")
    arn = imported(acm, pair, Tags=[{"Key": "team", "Value": "a"}])
    detail = acm.aws.describe_certificate(CertificateArn=arn)["Certificate"]
    assert detail["Status"] == "ISSUED"
    assert detail["Type"] == "IMPORTED"
    assert detail["DomainName"] == "api.shop.test"
    assert detail["SubjectAlternativeNames"] == ["api.shop.test", "*.shop.test"]
    assert detail["KeyAlgorithm"] == "EC_prime256v1"
    assert detail["RenewalEligibility"] == "INELIGIBLE"
    assert acm.aws.get_certificate(CertificateArn=arn)["Certificate"] == pair.certificate
    published = acm.told.told[-1]
    assert published.key == arn
    assert b"PRIVATE KEY" not in repr(published.value).encode()
    assert b"PRIVATE KEY" in SEAL.open(base64.b64decode(published.value["sealed_key"]), purpose=KEY_PURPOSE)


def test_what_is_kept_holds_no_key_in_the_clear(acm):
    imported(acm, issued(AUTHORITY, "api.shop.test"))
    records = acm.loop.run(acm.records.scan(CERTIFICATE))
    assert "PRIVATE KEY" not in repr([record.value for record in records])


def test_a_certificate_is_imported_again_under_its_arn(acm):
    arn = imported(acm, issued(AUTHORITY, "api.shop.test"))
    serial = acm.aws.describe_certificate(CertificateArn=arn)["Certificate"]["Serial"]
    assert imported(acm, issued(AUTHORITY, "api.shop.test"), CertificateArn=arn) == arn
    assert acm.aws.describe_certificate(CertificateArn=arn)["Certificate"]["Serial"] != serial
    code, _ = refusal(
        lambda: imported(acm, issued(AUTHORITY, "a.shop.test"), CertificateArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    )
    assert code == "ValidationException"


def test_certificates_that_cannot_be_used_are_refused_with_the_reason(acm):
    good, other = issued(AUTHORITY, "api.shop.test"), issued(AUTHORITY, "api.shop.test")
    old = a_client_certificate(None, now_ms=NOW_MS - 90 * DAY_MS)
    young = a_client_certificate(None, now_ms=NOW_MS + 90 * DAY_MS)
    for body, key, chain, words in (
        (b"nonsense", good.key, None, "not valid"),
        (good.certificate.encode(), other.key, None, "does not match"),
        (good.certificate.encode(), b"nonsense", None, "private key"),
        (good.certificate.encode() * 2, good.key, None, "2 certificates"),
        (good.certificate.encode(), good.key, other.certificate.encode(), "not in order"),
        (old.certificate.encode(), old.key, None, "expired"),
        (young.certificate.encode(), young.key, None, "later date"),
    ):
        more = {"CertificateChain": chain} if chain else {}
        code, message = refusal(acm.aws.import_certificate, Certificate=body, PrivateKey=key, **more)
        assert code == "ValidationException"
        assert words in message


def test_a_requested_certificate_is_issued_at_once(acm):
    arn = acm.aws.request_certificate(
        DomainName="api.shop.test",
        SubjectAlternativeNames=["*.shop.test"],
        ValidationMethod="DNS",
        IdempotencyToken="t1",
    )["CertificateArn"]
    detail = acm.aws.describe_certificate(CertificateArn=arn)["Certificate"]
    assert detail["Status"] == "ISSUED"
    assert detail["KeyAlgorithm"] == "RSA_2048"
    validation = detail["DomainValidationOptions"][0]
    assert validation["ValidationStatus"] == "SUCCESS"
    assert validation["ResourceRecord"]["Value"].endswith(".acm-validations.localhost.")
    again = acm.aws.request_certificate(
        DomainName="api.shop.test",
        SubjectAlternativeNames=["*.shop.test"],
        ValidationMethod="DNS",
        IdempotencyToken="t1",
    )
    assert again["CertificateArn"] == arn


def test_a_name_beyond_the_authority_waits_for_a_validation_and_times_out(acm):
    asked = {"DomainName": "api.example.com", "ValidationMethod": "DNS"}
    arn = acm.aws.request_certificate(**asked)["CertificateArn"]
    detail = acm.aws.describe_certificate(CertificateArn=arn)["Certificate"]
    (validation,) = detail["DomainValidationOptions"]
    assert (detail["Status"], validation["ValidationStatus"]) == ("PENDING_VALIDATION", "PENDING_VALIDATION")
    assert validation["ResourceRecord"]["Name"].endswith(".api.example.com.")
    for operation in (acm.aws.get_certificate, acm.aws.renew_certificate):
        refused = refusal(operation, CertificateArn=arn)[0]
        assert refused in ("RequestInProgressException", "ValidationException")
    assert acm.told.told[-1].value is None
    acm.clock.advance(ms=3 * DAY_MS)
    detail = acm.aws.describe_certificate(CertificateArn=arn)["Certificate"]
    assert detail["Status"] == "VALIDATION_TIMED_OUT"
    assert detail["DomainValidationOptions"][0]["ValidationStatus"] == "FAILED"
    listed = acm.aws.list_certificates(CertificateStatuses=["VALIDATION_TIMED_OUT"])["CertificateSummaryList"]
    assert [one["CertificateArn"] for one in listed] == [arn]


def test_requests_with_one_token_at_the_same_time_make_one_certificate(acm):
    params = {"DomainName": "api.shop.test", "IdempotencyToken": "once"}
    call = Call("acm", "RequestCertificate", "000000000000", "us-east-1", None, "r", acm.clock.now_ms())

    async def both():
        return await asyncio.gather(*(acm.provider.request_certificate(call, params) for _ in range(3)))

    assert len({answer["CertificateArn"] for answer in acm.loop.run(both())}) == 1


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"KeyAlgorithm": "RSA_4096"}, "InvalidParameterException"),
        ({"ValidationMethod": "HTTP"}, "InvalidParameterException"),
        ({"ManagedBy": "CLOUDFRONT"}, "InvalidParameterException"),
        (
            {"CertificateAuthorityArn": "arn:aws:acm-pca:us-east-1:000000000000:certificate-authority/x"},
            "InvalidParameterException",
        ),
        ({"SubjectAlternativeNames": [f"a{n}.shop.test" for n in range(10)]}, "LimitExceededException"),
        (
            {"DomainValidationOptions": [{"DomainName": "api.shop.test", "ValidationDomain": "example.com"}]},
            "InvalidDomainValidationOptionsException",
        ),
        ({"Tags": [{"Key": "aws:a", "Value": "b"}]}, "InvalidTagException"),
    ],
)
def test_requests_that_cannot_be_are_refused(acm, more, code):
    assert refusal(acm.aws.request_certificate, DomainName="api.shop.test", **more)[0] == code


def test_lists_give_small_keys_unless_asked_for_others_as_on_aws(acm):
    rsa = acm.aws.request_certificate(DomainName="a.shop.test")["CertificateArn"]
    acm.clock.advance(ms=1_000)
    curve = imported(acm, issued(AUTHORITY, "b.shop.test"))

    def listed(**params):
        return [each["CertificateArn"] for each in acm.aws.list_certificates(**params)["CertificateSummaryList"]]

    both = {"keyTypes": ["RSA_2048", "EC_prime256v1"]}
    assert listed() == [rsa]
    assert listed(Includes=both) == [rsa, curve]
    assert listed(Includes=both, SortBy="CREATED_AT", SortOrder="DESCENDING") == [curve, rsa]
    assert listed(Includes=both, CertificateStatuses=["FAILED"]) == []
    first = acm.aws.list_certificates(Includes=both, MaxItems=1)
    second = acm.aws.list_certificates(Includes=both, MaxItems=1, NextToken=first["NextToken"])
    assert [page["CertificateSummaryList"][0]["CertificateArn"] for page in (first, second)] == [rsa, curve]
    assert "NextToken" not in second
    assert refusal(acm.aws.list_certificates, NextToken="nonsense")[0] == "ValidationException"


def test_a_certificate_in_use_is_not_deleted(acm):
    arn = imported(acm, issued(AUTHORITY, "api.shop.test"))
    uses = {arn: ["arn:of:a:domain"]}

    async def find_uses():
        return uses

    acm.provider.used_by(find_uses)
    assert acm.aws.describe_certificate(CertificateArn=arn)["Certificate"]["InUseBy"] == ["arn:of:a:domain"]
    assert refusal(acm.aws.delete_certificate, CertificateArn=arn)[0] == "ResourceInUseException"
    uses.clear()
    acm.aws.delete_certificate(CertificateArn=arn)
    assert acm.told.told[-1].value is None
    assert refusal(acm.aws.describe_certificate, CertificateArn=arn)[0] == "ResourceNotFoundException"
    assert (
        refusal(acm.aws.describe_certificate, CertificateArn=arn.replace("us-east-1", "eu-west-1"))[0]
        == "InvalidArnException"
    )


def test_a_key_leaves_only_encrypted_and_only_when_it_was_made_to(acm):
    arn = acm.aws.request_certificate(
        DomainName="api.shop.test", KeyAlgorithm="EC_prime256v1", Options={"Export": "ENABLED"}
    )["CertificateArn"]
    given = acm.aws.export_certificate(CertificateArn=arn, Passphrase=b"secret")
    assert "ENCRYPTED PRIVATE KEY" in given["PrivateKey"]
    load_pem_private_key(given["PrivateKey"].encode(), password=b"secret")
    for other in (
        imported(acm, issued(AUTHORITY, "b.shop.test")),
        acm.aws.request_certificate(DomainName="c.shop.test"),
    ):
        arn = other if isinstance(other, str) else other["CertificateArn"]
        assert refusal(acm.aws.export_certificate, CertificateArn=arn, Passphrase=b"secret")[0] == "ValidationException"


def test_tags_and_options(acm):
    arn = acm.aws.request_certificate(DomainName="a.shop.test", KeyAlgorithm="EC_prime256v1")["CertificateArn"]
    acm.aws.add_tags_to_certificate(CertificateArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b"}])
    acm.aws.remove_tags_from_certificate(CertificateArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b"}])
    assert acm.aws.list_tags_for_certificate(CertificateArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]
    options = {"CertificateTransparencyLoggingPreference": "DISABLED"}
    acm.aws.update_certificate_options(CertificateArn=arn, Options=options)
    assert acm.aws.describe_certificate(CertificateArn=arn)["Certificate"]["Options"] == {
        **options,
        "Export": "DISABLED",
    }
    tags = [{"Key": str(number), "Value": ""} for number in range(50)]
    assert refusal(acm.aws.add_tags_to_certificate, CertificateArn=arn, Tags=tags)[0] == "TooManyTagsException"


def test_what_ends_soon_is_renewed_the_default_among_it(acm):
    arn = acm.aws.request_certificate(DomainName="a.shop.test", KeyAlgorithm="EC_prime256v1")["CertificateArn"]
    serial = acm.aws.describe_certificate(CertificateArn=arn)["Certificate"]["Serial"]
    acm.told.told.clear()
    acm.loop.run(acm.provider.renew_due())
    assert acm.told.told == []
    acm.clock.advance(ms=170 * DAY_MS)
    acm.loop.run(acm.provider.renew_due())
    assert {change.key for change in acm.told.told} == {DEFAULT, arn}
    assert acm.aws.describe_certificate(CertificateArn=arn)["Certificate"]["Serial"] != serial


def test_a_certificate_that_is_deleted_while_it_is_renewed_stays_deleted(acm):
    arn = acm.aws.request_certificate(DomainName="a.shop.test")["CertificateArn"]
    certificate = acm.provider._held[arn][0]

    async def scenario():
        renewing = asyncio.ensure_future(acm.provider._renew(certificate))
        await asyncio.sleep(0)  # its key is being made
        await acm.records.delete(_key(certificate))
        acm.provider._held.pop(arn)
        await renewing

    acm.loop.run(scenario())
    assert acm.aws.list_certificates()["CertificateSummaryList"] == []
    assert acm.loop.run(acm.records.scan(CERTIFICATE)) == []


def test_what_is_changed_while_a_certificate_is_renewed_stays_changed(acm):
    arn = acm.aws.request_certificate(DomainName="a.shop.test")["CertificateArn"]
    stale = acm.provider._held[arn][0]
    acm.aws.add_tags_to_certificate(CertificateArn=arn, Tags=[{"Key": "team", "Value": "a"}])
    acm.loop.run(acm.provider._renew(stale))
    assert acm.aws.list_tags_for_certificate(CertificateArn=arn)["Tags"] == [{"Key": "team", "Value": "a"}]
    assert acm.aws.get_certificate(CertificateArn=arn)["Certificate"] != stale.body


def test_certificates_outlast_a_restart_and_expire(acm):
    arn = imported(acm, a_client_certificate(None, days=30))
    later = Acm(acm.loop, acm.records, NOW_MS + 60 * DAY_MS)
    assert later.provider.certificate(arn).status == "EXPIRED"


def test_imported_certificates_are_not_renewed(acm):
    arn = imported(acm, issued(AUTHORITY, "api.shop.test"))
    assert refusal(acm.aws.renew_certificate, CertificateArn=arn)[0] == "ValidationException"
    options = {"CertificateTransparencyLoggingPreference": "DISABLED"}
    assert (
        refusal(acm.aws.update_certificate_options, CertificateArn=arn, Options=options)[0] == "InvalidStateException"
    )
