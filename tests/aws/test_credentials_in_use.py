"""boto3 against a running platform: what was used, and what one service tells of another."""

import json

ALLOW_ALL = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}]}
)


def test_a_key_was_last_used_for_what_it_was_used_for(platform) -> None:
    iam = platform.client("iam")
    user = {"UserName": "last-used"}
    iam.create_user(**user)
    iam.put_user_policy(**user, PolicyName="all", PolicyDocument=ALLOW_ALL)
    key = iam.create_access_key(**user)["AccessKey"]
    unused = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    assert (unused["UserName"], unused["AccessKeyLastUsed"]["ServiceName"]) == ("last-used", "N/A")
    credentials = {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
    }
    for _ in range(3):  # the second and third by the head that is known
        platform.client("dynamodb", **credentials).list_tables()
    used = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
    assert (used["ServiceName"], used["Region"]) == ("dynamodb", "us-east-1")
    arn = iam.get_user(**user)["User"]["Arn"]
    job = iam.generate_service_last_accessed_details(Arn=arn)["JobId"]
    (told,) = iam.get_service_last_accessed_details(JobId=job)["ServicesLastAccessed"]
    assert (told["ServiceNamespace"], told["TotalAuthenticatedEntities"]) == ("dynamodb", 1)


def test_a_secret_is_read_by_way_of_parameter_store(platform) -> None:
    platform.client("secretsmanager").create_secret(Name="by/reference", SecretString="sesame")
    name = "/aws/reference/secretsmanager/by/reference"
    got = platform.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert (got["Value"], got["Type"]) == ("sesame", "SecureString")
    assert json.loads(got["SourceResult"])["Name"] == "by/reference"


def test_a_credential_report_is_csv_with_a_line_for_each_user(platform) -> None:
    iam = platform.client("iam")
    iam.create_user(UserName="reported")
    iam.create_login_profile(UserName="reported", Password="Correct-Horse-1")
    iam.generate_credential_report()
    header, root, *users = iam.get_credential_report()["Content"].decode().splitlines()
    assert header.startswith("user,arn,user_creation_time,password_enabled")
    assert root.startswith("<root_account>,")
    assert any(line.startswith("reported,") and ",true," in line for line in users)
