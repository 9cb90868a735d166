"""What nobody has here: console passwords, MFA devices, certificates, SSH keys, credentials of other services, SAML.

Operations that ask for such things say, truly, that there are none, so that tools that clean up before they delete a
user (Terraform among them) can do so. Those that would make them are not there.
"""

from __future__ import annotations

from typing import NoReturn

from gatepost.kernel.operations import Call, operation
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.errors import NoSuchEntityException
from gatepost.services.iam.holders import Answer, Params, missing
from gatepost.services.iam.listing import paged


class AbsentOperations:
    """The operations that ask for what there is none of; a part of the provider."""

    _directory: Directory

    @operation("GetLoginProfile")
    def get_login_profile(self, call: Call, params: Params) -> Answer:
        """Say that a user has no password for the console. Raises: NoSuchEntity."""
        self._no_login_profile(call, params)

    @operation("DeleteLoginProfile")
    def delete_login_profile(self, call: Call, params: Params) -> Answer:
        """Say that a user has no password for the console. Raises: NoSuchEntity."""
        self._no_login_profile(call, params)

    def _no_login_profile(self, call: Call, params: Params) -> NoReturn:
        name = params.get("UserName") or call.principal.name
        self._check_user(call, name)
        raise NoSuchEntityException(f"Login Profile for User {name} cannot be found.")

    @operation("GetAccountPasswordPolicy")
    def get_account_password_policy(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """Say that the account has no policy of passwords. Raises: NoSuchEntity."""
        raise NoSuchEntityException(f"The Password Policy with domain name {call.account_id} cannot be found.")

    @operation("ListMFADevices")
    def list_mfa_devices(self, call: Call, params: Params) -> Answer:
        """List a user's MFA devices: there are none. Raises: NoSuchEntity."""
        return self._none_of_user(call, params, "MFADevices")

    @operation("ListSigningCertificates")
    def list_signing_certificates(self, call: Call, params: Params) -> Answer:
        """List a user's signing certificates: there are none. Raises: NoSuchEntity."""
        return self._none_of_user(call, params, "Certificates")

    @operation("ListSSHPublicKeys")
    def list_ssh_public_keys(self, call: Call, params: Params) -> Answer:
        """List a user's SSH keys: there are none. Raises: NoSuchEntity."""
        return self._none_of_user(call, params, "SSHPublicKeys")

    @operation("ListVirtualMFADevices")
    def list_virtual_mfa_devices(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """List virtual MFA devices of any `AssignmentStatus`: there are none."""
        return _none(params, "VirtualMFADevices")

    @operation("ListServerCertificates")
    def list_server_certificates(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """List server certificates of any `PathPrefix`: there are none."""
        return _none(params, "ServerCertificateMetadataList")

    @operation("ListSAMLProviders")
    def list_saml_providers(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """List SAML providers: there are none."""
        return {"SAMLProviderList": []}

    @operation("ListServiceSpecificCredentials")
    def list_service_specific_credentials(self, call: Call, params: Params) -> Answer:
        """List credentials for a `ServiceName`, of a user or of `AllUsers`: there are none. Raises: NoSuchEntity."""
        if "UserName" in params:
            self._check_user(call, params["UserName"])
        return {"ServiceSpecificCredentials": []}

    def _check_user(self, call: Call, name: str) -> None:
        if self._directory.user(call.account_id, name) is None:
            raise NoSuchEntityException(missing("user", name))

    def _none_of_user(self, call: Call, params: Params, member: str) -> Answer:
        if "UserName" in params:
            self._check_user(call, params["UserName"])
        return _none(params, member)


def _none(params: Params, member: str) -> Answer:
    """Give the only page of an empty list. Raises: ValidationError for a `Marker`, which we cannot have given."""
    nothing: list[str] = []
    page, rest = paged(nothing, params, name_of=str)
    return {member: page, **rest}
