"""Tags of certificates by both families of operations."""

from tests.unit.services.acm.test_provider import AUTHORITY, acm, imported, issued, refusal

__all__ = ["acm"]


def test_the_newer_operations_see_what_the_older_ones_wrote(acm):
    arn = imported(acm, issued(AUTHORITY, "api.shop.test"))
    acm.aws.add_tags_to_certificate(CertificateArn=arn, Tags=[{"Key": "a", "Value": "1"}])
    acm.aws.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}])
    tags = [{"Key": "a", "Value": "3"}, {"Key": "b", "Value": "2"}]
    assert acm.aws.list_tags_for_resource(ResourceArn=arn)["Tags"] == tags
    assert acm.aws.list_tags_for_certificate(CertificateArn=arn)["Tags"] == tags
    acm.aws.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert acm.aws.list_tags_for_resource(ResourceArn=arn)["Tags"] == tags[1:]
    too_many = [{"Key": f"k{n}", "Value": ""} for n in range(50)]
    assert refusal(acm.aws.tag_resource, ResourceArn=arn, Tags=too_many)[0] == "ServiceQuotaExceededException"
    reserved = [{"Key": "aws:x", "Value": ""}]
    assert refusal(acm.aws.tag_resource, ResourceArn=arn, Tags=reserved)[0] == "ValidationException"
