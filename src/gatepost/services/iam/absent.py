"""What nobody has here: credentials of other services, SAML.

Operations that ask for such things say, truly, that there are none, so that tools that clean up before they delete a
user (Terraform among them) can do so. Those that would make them are not there.
"""

from __future__ import annotations

from gatepost.kernel.operations import Call, operation
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.errors import NoSuchEntityException
from gatepost.services.iam.holders import Answer, Params, missing


class AbsentOperations:
    """The operations that ask for what there is none of; a part of the provider."""

    _directory: Directory

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
