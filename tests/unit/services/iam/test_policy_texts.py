"""Places in policies' texts, as AWS's examples count them."""

from gatepost.services.iam.policy_texts import PolicyTexts, statement_positions

LIST = """{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "One",
            "Effect": "Allow",
            "Action": "codecommit:ListRepositories",
            "Resource": "*"
        },
        {"Effect": "Deny", "Action": "a:[b]", "Resource": ["}", "x\\"{"], "Condition": {"Bool": {"a:b": "false"}}}
    ]
}"""
ONE = '{"Id": "Statement", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}, "Version": "2012-10-17"}'


def test_a_statement_is_found_by_its_sid_or_its_place() -> None:
    positions = statement_positions(LIST)
    assert positions["One"] == {
        "StartPosition": {"Line": 3, "Column": 19},
        "EndPosition": {"Line": 9, "Column": 10},
    }
    second = positions["1"]
    assert second["StartPosition"] == {"Line": 9, "Column": 11}
    assert second["EndPosition"]["Line"] == 10
    assert PolicyTexts({"p": LIST}).positions("p", "1") == second
    assert PolicyTexts({"p": LIST}).positions("p", "Two") == PolicyTexts({}).positions("p", "1") == {}


def test_a_single_statement_needs_no_list() -> None:
    start, end = (statement_positions(ONE)["0"][name]["Column"] for name in ("StartPosition", "EndPosition"))
    assert ONE[start - 1 : end - 1].strip() == '{"Effect": "Allow", "Action": "*", "Resource": "*"}'


def test_keys_are_spelled_and_ordered_as_they_are_written() -> None:
    texts = {"a": '"${aws:username}" "aws:CurrentTime"', "b": '"S3:Prefix"'}
    assert PolicyTexts(texts).spelled({"aws:currenttime", "s3:prefix", "aws:username", "aws:none"}) == [
        "aws:username",
        "aws:CurrentTime",
        "S3:Prefix",
        "aws:none",
    ]
