"""What nobody has here: MFA devices, credentials of other services, SAML.

Operations that ask for such things say, truly, that there are none, so that tools that clean up before they delete a
user (Terraform among them) can do so. Those that would make them are not there.
"""

from __future__ import annotations

from gatepost.kernel.operations import Call, operation
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.errors import NoSuchEntityException
from gatepost.services.iam.holders import Answer, Params, missing
from gatepost.services.iam.listing import paged


class AbsentOperations:
    """The operations that ask for what there is none of; a part of the provider."""

    _directory: Directory

    @operation("ListMFADevices")
    def list_mfa_devices(self, call: Call, params: Params) -> Answer:
        """List a user's MFA devices: there are none. Raises: NoSuchEntity."""
        return self._none_of_user(call, params, "MFADevices")

    @operation("ListVirtualMFADevices")
    def list_virtual_mfa_devices(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """List virtual MFA devices of any `AssignmentStatus`: there are none."""
        return _none(params, "VirtualMFADevices")

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
