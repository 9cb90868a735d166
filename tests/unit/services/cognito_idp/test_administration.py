"""What administrators do: clients, users, groups, resource servers, identity providers, lists and filters."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.services.cognito_idp.admin_users import PAGE_MAX
from gatepost.services.cognito_idp.client_operations import ID_LENGTH, SECRET_LENGTH, STANDARD_SCOPES
from gatepost.services.cognito_idp.desk import new_name
from gatepost.services.cognito_idp.errors import InvalidParameterException
from gatepost.services.cognito_idp.group_operations import GROUPS_PER_USER_MAX
from gatepost.services.cognito_idp.groups_store import Group, preferred_role, roles_of
from gatepost.services.cognito_idp.import_jobs import columns_of
from gatepost.services.cognito_idp.messages import masked
from gatepost.services.cognito_idp.password_policy import check_policy, temporary_password
from gatepost.services.cognito_idp.pool import UserPool
from gatepost.services.cognito_idp.resource_servers import SCOPES_MAX
from gatepost.services.cognito_idp.schema import is_email, is_phone_number
from gatepost.services.cognito_idp.user import User, aliases_of
from gatepost.services.cognito_idp.user_filter import parse_filter
from tests.support.user_pools import OTHER_PASSWORD, PASSWORD, Aws, Run, attributes_of


def a_pool(**settings: Any) -> UserPool:
    return UserPool("us-east-1_Pool12345", "000000000000", "us-east-1", "shop", settings, 0, 0)


def a_user(**attributes: str) -> User:
    return User("us-east-1_Pool12345", "Ann", {"sub": "s", **attributes}, "CONFIRMED", 0, 0)


# --- clients ---------------------------------------------------------------------------------------------------


def test_a_client_is_made_changed_listed_and_deleted(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        made = (await aws("CreateUserPoolClient", UserPoolId=aws.pool_id, ClientName="web", GenerateSecret=True))[
            "UserPoolClient"
        ]
        assert (len(made["ClientId"]), len(made["ClientSecret"])) == (ID_LENGTH, SECRET_LENGTH)
        assert (made["RefreshTokenValidity"], made["EnableTokenRevocation"], made["AuthSessionValidity"]) == (
            30,
            True,
            3,
        )
        params = {"UserPoolId": aws.pool_id, "ClientId": made["ClientId"]}
        changed = (await aws("UpdateUserPoolClient", **params, AccessTokenValidity=2))["UserPoolClient"]
        assert (changed["AccessTokenValidity"], changed["ClientSecret"], changed["ClientName"]) == (
            2,
            made["ClientSecret"],
            "web",
        )
        other = (await aws("CreateUserPoolClient", UserPoolId=aws.pool_id, ClientName="web"))["UserPoolClient"]
        assert other["ClientId"] != made["ClientId"]
        first = await aws("ListUserPoolClients", UserPoolId=aws.pool_id, MaxResults=1)
        rest = await aws("ListUserPoolClients", UserPoolId=aws.pool_id, MaxResults=1, NextToken=first["NextToken"])
        assert {one["ClientId"] for page in (first, rest) for one in page["UserPoolClients"]} == {
            made["ClientId"],
            other["ClientId"],
        }
        assert "NextToken" not in rest
        await aws("DeleteUserPoolClient", **params)
        await aws.fails("ResourceNotFoundException", "DescribeUserPoolClient", **params)

    pools(scenario)


@pytest.mark.parametrize(
    ("code", "settings"),
    [
        ("InvalidParameterException", {"ExplicitAuthFlows": ["USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH"]}),
        ("InvalidParameterException", {"ExplicitAuthFlows": ["ALLOW_TOKEN_EXCHANGE_DELEGATION"]}),
        ("InvalidParameterException", {"AccessTokenValidity": 299, "TokenValidityUnits": {"AccessToken": "seconds"}}),
        ("InvalidParameterException", {"IdTokenValidity": 25}),
        ("InvalidParameterException", {"RefreshTokenValidity": 59, "TokenValidityUnits": {"RefreshToken": "minutes"}}),
        (
            "InvalidParameterException",
            {"RefreshTokenValidity": 1, "AccessTokenValidity": 2, "TokenValidityUnits": {"RefreshToken": "hours"}},
        ),
        ("InvalidParameterException", {"ReadAttributes": ["custom:nothing"]}),
        ("InvalidParameterException", {"AllowedOAuthFlows": ["code"]}),
        (
            "InvalidParameterException",
            {"AllowedOAuthFlowsUserPoolClient": True, "AllowedOAuthFlows": ["code"], "AllowedOAuthScopes": ["openid"]},
        ),
        (
            "InvalidOAuthFlowException",
            {"AllowedOAuthFlows": ["client_credentials"], "AllowedOAuthScopes": ["orders/read"]},
        ),
        (
            "InvalidOAuthFlowException",
            {"GenerateSecret": True, "AllowedOAuthFlows": ["client_credentials"], "AllowedOAuthScopes": ["openid"]},
        ),
        (
            "InvalidOAuthFlowException",
            {
                "GenerateSecret": True,
                "AllowedOAuthFlows": ["client_credentials", "code"],
                "AllowedOAuthScopes": ["orders/read"],
            },
        ),
        ("ScopeDoesNotExistException", {"AllowedOAuthScopes": ["orders/write"]}),
        ("InvalidParameterException", {"SupportedIdentityProviders": ["Google"]}),
        ("InvalidParameterException", {"DefaultRedirectURI": "https://x.example"}),
        ("InvalidParameterException", {"AnalyticsConfiguration": {"ApplicationId": "a" * 32}}),
        *(
            ("InvalidParameterException", {"CallbackURLs": [url]})
            for url in (
                "http://shop.example/",
                "https://x.example/#a",
                "/relative",
                "javascript:alert(1)",
                "data:text/html,x",
                "https:///x",
                "http://localhost.evil.test/",
            )
        ),
    ],
    ids=str,
)
def test_clients_that_cannot_be_are_refused(pools: Run, code: str, settings: dict[str, Any]) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        scopes = [{"ScopeName": "read", "ScopeDescription": "Read"}]
        await aws("CreateResourceServer", UserPoolId=aws.pool_id, Identifier="orders", Name="Orders", Scopes=scopes)
        params = {"UserPoolId": aws.pool_id, "ClientName": "web", **settings}
        await aws.fails(code, "CreateUserPoolClient", **params)

    pools(scenario)


def test_redirects_to_this_machine_and_to_apps_are_fine(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        urls = ["http://localhost:3000/cb", "http://127.0.0.1/cb", "https://shop.example/cb?x=1", "myapp://callback"]
        oauth = {
            "AllowedOAuthFlowsUserPoolClient": True,
            "AllowedOAuthFlows": ["code"],
            "AllowedOAuthScopes": list(STANDARD_SCOPES),
        }
        await aws.a_client(
            CallbackURLs=urls,
            LogoutURLs=urls,
            DefaultRedirectURI=urls[0],
            SupportedIdentityProviders=["COGNITO"],
            **oauth,
        )

    pools(scenario)


# --- users -----------------------------------------------------------------------------------------------------


def test_users_are_invited_again_and_once_only(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool(
            AdminCreateUserConfig={
                "InviteMessageTemplate": {"EmailMessage": "<i>{username}</i> {####}", "EmailSubject": "In"}
            }
        )
        await aws.a_client()
        params = {"UserPoolId": aws.pool_id, "Username": "ann", "DesiredDeliveryMediums": ["EMAIL", "SMS"]}
        email = [{"Name": "email", "Value": "ann@example.com"}]
        user = (await aws("AdminCreateUser", **params, UserAttributes=email))["User"]
        assert (user["UserStatus"], user["Enabled"]) == ("FORCE_CHANGE_PASSWORD", True)
        (message,) = aws.mail.messages
        assert (message.subject, message.body.startswith("<i>ann</i> ")) == ("In", True)
        first = message.code
        check_policy(a_pool(), first)
        await aws.fails("UsernameExistsException", "AdminCreateUser", **params)
        await aws("AdminCreateUser", **params, MessageAction="RESEND")
        assert aws.mail.code != first
        assert (await aws.start("USER_PASSWORD_AUTH", PASSWORD=aws.mail.code))[
            "ChallengeName"
        ] == "NEW_PASSWORD_REQUIRED"
        given = {"USERNAME": "ann", "PASSWORD": first}
        await aws.fails(
            "NotAuthorizedException",
            "InitiateAuth",
            ClientId=aws.client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters=given,
        )
        await aws("AdminSetUserPassword", UserPoolId=aws.pool_id, Username="ann", Password=PASSWORD, Permanent=True)
        await aws.fails("UnsupportedUserStateException", "AdminCreateUser", **params, MessageAction="RESEND")
        await aws.fails(
            "UserNotFoundException", "AdminCreateUser", **{**params, "Username": "bob"}, MessageAction="RESEND"
        )

    pools(scenario)


def test_a_sign_up_is_confirmed_by_an_administrator_once(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        await aws.a_client()
        await aws("SignUp", ClientId=aws.client_id, Username="ann", Password=PASSWORD)
        params = {"UserPoolId": aws.pool_id, "Username": "ann"}
        await aws("AdminConfirmSignUp", **params)
        await aws.sign_in()
        message = await aws.fails("NotAuthorizedException", "AdminConfirmSignUp", **params)
        assert message == "User cannot be confirmed. Current status is CONFIRMED"
        await aws.fails("UserNotFoundException", "AdminConfirmSignUp", **{**params, "Username": "bob"})

    pools(scenario)


def test_attributes_are_set_taken_away_and_kept_where_they_must(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool(
            AutoVerifiedAttributes=["email"],
            Schema=[{"Name": "name", "Required": True}, {"Name": "tier", "Mutable": False}],
        )
        await aws.a_user("ann", **{"custom:tier": "1", "email": "a@example.com"})
        params = {"UserPoolId": aws.pool_id, "Username": "ann"}

        async def sets(name: str, value: str) -> None:
            await aws("AdminUpdateUserAttributes", **params, UserAttributes=[{"Name": name, "Value": value}])

        await sets("custom:tier", "1")
        for name, value in (("custom:tier", "2"), ("sub", "x"), ("name", ""), ("nothing", "x")):
            change = {"UserAttributes": [{"Name": name, "Value": value}]}
            await aws.fails("InvalidParameterException", "AdminUpdateUserAttributes", **params, **change)
        aws.mail.messages.clear()
        await sets("email", "b@example.com")
        assert attributes_of(await aws.user())["email_verified"] == "false"
        assert aws.mail.messages[-1].to == "b@example.com"
        await sets("email", "")
        assert {"email", "email_verified"} & attributes_of(await aws.user()).keys() == set()
        await sets("nickname", "Annie")
        await aws("AdminDeleteUserAttributes", **params, UserAttributeNames=["nickname"])
        for name in ("name", "sub", "custom:tier", "nothing"):
            await aws.fails(
                "InvalidParameterException", "AdminDeleteUserAttributes", **params, UserAttributeNames=[name]
            )

    pools(scenario)


def test_users_are_listed_by_pages_and_found_by_filters(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        for number in range(7):
            await aws(
                "AdminCreateUser",
                UserPoolId=aws.pool_id,
                Username=f"user{number}",
                UserAttributes=[{"Name": "email", "Value": f"U{number}@example.com"}],
            )
        params = {"UserPoolId": aws.pool_id, "Limit": 3}
        names: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = await aws("ListUsers", **params, **token)
            names += [user["Username"] for user in page["Users"]]
            assert len(page["Users"]) <= 3
            if "PaginationToken" not in page:
                break
            token = {"PaginationToken": page["PaginationToken"]}
        assert names == [f"user{number}" for number in range(7)]
        sub = attributes_of(await aws.user("user3"))["sub"]
        for text, expected in (
            ('username = "user3"', ["user3"]),
            ('email = "u3@EXAMPLE.com"', ["user3"]),
            ('email ^= "u"', names),
            (f'sub = "{sub}"', ["user3"]),
            ('username ^= "user"', names),
            ('cognito:user_status = "CONFIRMED"', []),
            ("status = 'Enabled'", names),
            ('name = "x"', []),
        ):
            found = await aws("ListUsers", UserPoolId=aws.pool_id, Filter=text)
            assert [user["Username"] for user in found["Users"]] == expected, text
        for text in ("email", "email = x", 'custom:a = "x"', 'email != "x"', 'email = "x" or sub = "y"'):
            await aws.fails("InvalidParameterException", "ListUsers", UserPoolId=aws.pool_id, Filter=text)
        await aws.fails("InvalidParameterException", "ListUsers", **params, PaginationToken="nonsense")
        only = await aws("ListUsers", **params, AttributesToGet=["email"])
        assert only["Users"][0]["Attributes"] == [{"Name": "email", "Value": "U0@example.com"}]
        await aws.fails("InvalidParameterException", "ListUsers", **params, AttributesToGet=["nothing"])
        assert PAGE_MAX == 60

    pools(scenario)


def test_an_address_that_stands_for_the_name_is_found_at_once(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool(UsernameAttributes=["email"], UsernameConfiguration={"CaseSensitive": False})
        await aws.a_user("ann@example.com")
        for text, count in (('email = "ANN@example.com"', 1), ('email = "bob@example.com"', 0), ('email ^= "ann"', 1)):
            assert len((await aws("ListUsers", UserPoolId=aws.pool_id, Filter=text))["Users"]) == count
        await aws("ListUsers", UserPoolId=aws.pool_id)
        await aws(
            "AdminUpdateUserAttributes",
            UserPoolId=aws.pool_id,
            Username="ann@example.com",
            UserAttributes=[{"Name": "nickname", "Value": "A"}],
        )
        await aws.a_client()
        await aws.sign_in("ann@example.com")  # what was listed has kept its secrets

    pools(scenario)


def test_filters_are_parsed() -> None:
    found = parse_filter(r'"given_name" ^= "A \"quoted\" name"')
    assert found is not None
    assert (found.attribute, found.value, found.is_prefix) == ("given_name", 'A "quoted" name', True)
    assert found.matches(a_user(given_name='a "QUOTED" name, really'))
    assert not found.matches(a_user())
    assert parse_filter("") is None


# --- groups ----------------------------------------------------------------------------------------------------


def test_groups_have_members_by_pages_and_go_without_them(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        params = {"UserPoolId": aws.pool_id, "GroupName": "staff"}
        await aws("CreateGroup", **params, Description="all", Precedence=3)
        await aws.fails("GroupExistsException", "CreateGroup", **params)
        for name in ("ann", "bob", "cyd"):
            await aws.a_user(name)
            await aws("AdminAddUserToGroup", **params, Username=name)
        await aws("AdminAddUserToGroup", **params, Username="ann")
        first = await aws("ListUsersInGroup", **params, Limit=2)
        rest = await aws("ListUsersInGroup", **params, Limit=2, NextToken=first["NextToken"])
        assert [user["Username"] for page in (first, rest) for user in page["Users"]] == ["ann", "bob", "cyd"]
        await aws("AdminRemoveUserFromGroup", **params, Username="bob")
        await aws("AdminDeleteUser", UserPoolId=aws.pool_id, Username="cyd")
        assert [user["Username"] for user in (await aws("ListUsersInGroup", **params))["Users"]] == ["ann"]
        changed = (await aws("UpdateGroup", **params, Precedence=1))["Group"]
        assert (changed["Precedence"], changed["Description"]) == (1, "all")
        groups = await aws("AdminListGroupsForUser", UserPoolId=aws.pool_id, Username="ann")
        assert [group["GroupName"] for group in groups["Groups"]] == ["staff"]
        await aws("DeleteGroup", **params)
        assert (await aws("AdminListGroupsForUser", UserPoolId=aws.pool_id, Username="ann"))["Groups"] == []
        await aws.fails("ResourceNotFoundException", "GetGroup", **params)
        await aws.fails("ResourceNotFoundException", "AdminAddUserToGroup", **params, Username="ann")
        assert GROUPS_PER_USER_MAX == 100

    pools(scenario)


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        ([], ""),
        ([("a", None, "ra")], ""),
        ([("a", 1, "ra"), ("b", 2, "rb")], "ra"),
        ([("a", 1, "ra"), ("b", 1, "rb")], ""),
        ([("a", 1, "ra"), ("b", 1, "ra")], "ra"),
        ([("a", 0, ""), ("b", 1, "rb")], ""),
    ],
    ids=str,
)
def test_the_role_is_that_of_the_group_that_wins(groups: list[tuple[str, int | None, str]], role: str) -> None:
    made = [Group("p", name, 0, 0, role_arn=arn, precedence=precedence) for name, precedence, arn in groups]
    assert preferred_role(made) == role
    assert roles_of([*made, *made]) == list(dict.fromkeys(arn for _, _, arn in groups if arn))


# --- resource servers and identity providers -------------------------------------------------------------------


def test_resource_servers_are_made_changed_and_deleted(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        params = {"UserPoolId": aws.pool_id, "Identifier": "https://api.example", "Name": "API"}
        scope = {"ScopeName": "read", "ScopeDescription": "Read"}
        await aws("CreateResourceServer", **params, Scopes=[scope])
        await aws.fails("InvalidParameterException", "CreateResourceServer", **params)
        await aws.fails("InvalidParameterException", "UpdateResourceServer", **params, Scopes=[scope, scope])
        await aws("UpdateResourceServer", **{**params, "Name": "Other"})
        listed = (await aws("ListResourceServers", UserPoolId=aws.pool_id, MaxResults=5))["ResourceServers"]
        assert listed == [{**params, "Name": "Other", "Scopes": []}]
        gone = {"UserPoolId": aws.pool_id, "Identifier": "https://api.example"}
        await aws("DeleteResourceServer", **gone)
        await aws.fails("ResourceNotFoundException", "DescribeResourceServer", **gone)
        assert SCOPES_MAX == 100

    pools(scenario)


def test_only_openid_connect_providers_are_taken(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        details = {
            "client_id": "a",
            "attributes_request_method": "GET",
            "oidc_issuer": "https://login.example",
            "authorize_scopes": "openid",
        }
        params = {"UserPoolId": aws.pool_id, "ProviderName": "corp", "ProviderType": "OIDC"}
        for kind in ("SAML", "Google", "Facebook"):
            await aws.fails(
                "UnsupportedIdentityProviderException",
                "CreateIdentityProvider",
                **{**params, "ProviderType": kind},
                ProviderDetails=details,
            )
        for change in (
            {"oidc_issuer": "http://login.example"},
            {"client_id": ""},
            {"what": "x"},
            {"attributes_request_method": "PUT"},
        ):
            await aws.fails(
                "InvalidParameterException", "CreateIdentityProvider", **params, ProviderDetails={**details, **change}
            )
        await aws.fails(
            "InvalidParameterException",
            "CreateIdentityProvider",
            **params,
            ProviderDetails=details,
            AttributeMapping={"custom:x": "y"},
        )
        await aws(
            "CreateIdentityProvider",
            **params,
            ProviderDetails=details,
            IdpIdentifiers=["corp.example"],
            AttributeMapping={"email": "mail"},
        )
        await aws.fails("DuplicateProviderException", "CreateIdentityProvider", **params, ProviderDetails=details)
        found = await aws("GetIdentityProviderByIdentifier", UserPoolId=aws.pool_id, IdpIdentifier="corp.example")
        assert found["IdentityProvider"]["AttributeMapping"] == {"email": "mail"}
        named = {"UserPoolId": aws.pool_id, "ProviderName": "corp"}
        await aws("UpdateIdentityProvider", **named, IdpIdentifiers=[])
        await aws.fails(
            "ResourceNotFoundException",
            "GetIdentityProviderByIdentifier",
            UserPoolId=aws.pool_id,
            IdpIdentifier="corp.example",
        )
        assert len((await aws("ListIdentityProviders", UserPoolId=aws.pool_id))["Providers"]) == 1
        await aws("DeleteIdentityProvider", **named)
        await aws.fails("ResourceNotFoundException", "DescribeIdentityProvider", **named)

    pools(scenario)


# --- users by themselves ---------------------------------------------------------------------------------------


def test_users_change_what_their_client_may_write(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        waits = {"AttributesRequireVerificationBeforeUpdate": ["email"]}
        await aws.a_pool(AutoVerifiedAttributes=["email"], UserAttributeUpdateSettings=waits, Schema=[{"Name": "tier"}])
        await aws.a_client(WriteAttributes=["email", "nickname"])
        await aws.a_user(email="a@example.com", email_verified="true")
        token = (await aws.sign_in())["AccessToken"]

        async def sets(name: str, value: str) -> Any:
            return await aws("UpdateUserAttributes", AccessToken=token, UserAttributes=[{"Name": name, "Value": value}])

        assert await sets("nickname", "Annie") == {"CodeDeliveryDetailsList": []}
        for name in ("custom:tier", "email_verified", "name"):
            change = {"AccessToken": token, "UserAttributes": [{"Name": name, "Value": "true"}]}
            await aws.fails("NotAuthorizedException", "UpdateUserAttributes", **change)
        (details,) = (await sets("email", "b@example.com"))["CodeDeliveryDetailsList"]
        assert details["Destination"] == "b***@e***"
        assert attributes_of(await aws.user())["email"] == "a@example.com"  # until the code comes back
        params = {"AccessToken": token, "AttributeName": "email"}
        await aws.fails("CodeMismatchException", "VerifyUserAttribute", **params, Code="nope")
        await aws("VerifyUserAttribute", **params, Code=aws.mail.code)
        after = attributes_of(await aws.user())
        assert (after["email"], after["email_verified"]) == ("b@example.com", "true")
        await aws("GetUserAttributeVerificationCode", **params)
        await aws.fails(
            "InvalidParameterException",
            "GetUserAttributeVerificationCode",
            **{**params, "AttributeName": "phone_number"},
        )
        await aws("DeleteUserAttributes", AccessToken=token, UserAttributeNames=["nickname"])
        await aws.fails(
            "NotAuthorizedException", "DeleteUserAttributes", AccessToken=token, UserAttributeNames=["custom:tier"]
        )
        await aws("DeleteUser", AccessToken=token)
        await aws.fails("UserNotFoundException", "AdminGetUser", UserPoolId=aws.pool_id, Username="ann")

    pools(scenario)


def test_a_password_is_changed_by_the_one_before(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        await aws.a_client()
        await aws.a_user()
        token = (await aws.sign_in())["AccessToken"]
        params = {"AccessToken": token, "ProposedPassword": OTHER_PASSWORD}
        for _ in range(5):
            await aws.fails("NotAuthorizedException", "ChangePassword", **params, PreviousPassword="Wr0ng-one!")
        message = await aws.fails("NotAuthorizedException", "ChangePassword", **params, PreviousPassword=PASSWORD)
        assert message == "Password attempts exceeded"
        aws.clock.advance(ms=1_000)
        await aws.fails(
            "InvalidPasswordException",
            "ChangePassword",
            **{**params, "ProposedPassword": "weak"},
            PreviousPassword=PASSWORD,
        )
        await aws("ChangePassword", **params, PreviousPassword=PASSWORD)
        await aws.sign_in(password=OTHER_PASSWORD)

    pools(scenario)


# --- small rules -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "email", "phone"),
    [
        ("ann@example.com", True, False),
        ("a+b@localhost", True, False),
        ("ann@", False, False),
        ("@example.com", False, False),
        ("a b@example.com", False, False),
        ("ann@example.com\n", False, False),
        ("ann@exam ple.com,eve@example.com", False, False),
        ("+15555550100", False, True),
        ("+05555550100", False, False),
        ("15555550100", False, False),
        ("+1555555010012345", False, False),
        ("+1555٥550100", False, False),
    ],
)
def test_addresses_have_a_form(text: str, email: bool, phone: bool) -> None:
    assert (is_email(text), is_phone_number(text)) == (email, phone)


def test_addresses_are_masked() -> None:
    assert masked("ann@example.com") == "a***@e***"
    assert masked("+15555550100") == "+*******0100"


def test_aliases_are_what_is_verified_or_stands_for_the_name() -> None:
    user = a_user(email="A@x.com", phone_number="+1", phone_number_verified="true", preferred_username="Annie")
    folded = {"UsernameConfiguration": {"CaseSensitive": False}}
    assert aliases_of(a_pool(), user) == {"sub": "s"}
    assert aliases_of(a_pool(UsernameAttributes=["email"], **folded), user) == {"sub": "s", "email": "a@x.com"}
    named = a_pool(AliasAttributes=["email", "phone_number", "preferred_username"])
    assert aliases_of(named, user) == {"sub": "s", "phone_number": "+1", "preferred_username": "Annie"}


def test_temporary_passwords_fit_any_policy() -> None:
    pool = a_pool(
        Policies={
            "PasswordPolicy": {
                "MinimumLength": 20,
                "RequireSymbols": True,
                "RequireNumbers": True,
                "RequireUppercase": True,
                "RequireLowercase": True,
            }
        }
    )
    made = {temporary_password(pool) for _ in range(50)}
    assert len(made) == 50
    for password in made:
        check_policy(pool, password)


def test_a_name_is_the_sub_where_an_address_stands_for_it() -> None:
    assert new_name(a_pool(), "ann", {}, sub="s") == ("ann", {})
    pool = a_pool(UsernameAttributes=["email", "phone_number"])
    assert new_name(pool, "+15555550100", {"name": "Ann"}, sub="s") == (
        "s",
        {"name": "Ann", "phone_number": "+15555550100"},
    )
    with pytest.raises(InvalidParameterException, match="either an email or a phone number"):
        new_name(pool, "ann", {}, sub="s")
    with pytest.raises(InvalidParameterException, match="must be the same"):
        new_name(pool, "ann@example.com", {"email": "eve@example.com"}, sub="s")


def test_a_file_has_a_column_for_each_attribute_that_can_be_set() -> None:
    columns = columns_of(a_pool())
    assert columns[-2:] == ["cognito:mfa_enabled", "cognito:username"]
    assert {"email", "phone_number_verified", "updated_at"} <= set(columns)
    assert "sub" not in columns
