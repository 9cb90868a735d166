"""What user pools never have here: threat protection, exported logs, branding of the pages, terms of use.

Operations that ask for such things say, truly, that there are none; those that would make them are not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost.kernel.operations import Call, operation
from gatepost.kernel.paging import place_of
from gatepost.services.cognito_idp.errors import (
    InvalidParameterException,
    ResourceNotFoundException,
    UserPoolAddOnNotEnabledException,
)
from gatepost.services.cognito_idp.pool import UserPool
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.users import Users

Params = Mapping[str, Any]
Answer = dict[str, Any]


class AbsentOperations:
    """The operations that ask for what there is none of; a part of the provider."""

    _pools: Pools
    _users: Users

    @operation("GetUICustomization")
    def get_ui_customization(self, call: Call, params: Params) -> Answer:
        """Give the classic pages' logo and style: "If nothing is present, then an empty shape is returned"."""
        pool = self._pools.get(call, params["UserPoolId"])
        if params.get("ClientId", "ALL") != "ALL":
            self._pools.client_of(pool, params["ClientId"])
        return {"UICustomization": {}}

    @operation("DescribeManagedLoginBrandingByClient")
    def describe_managed_login_branding_by_client(self, call: Call, params: Params) -> Answer:
        """Say that a client has no branding, merged (`ReturnMergedResources`) or not.

        Raises: ResourceNotFoundException.
        """
        self._pools.client_of(self._pools.get(call, params["UserPoolId"]), params["ClientId"])
        raise ResourceNotFoundException("There is no managed login branding for this client.")

    @operation("ListTerms")
    def list_terms(self, call: Call, params: Params) -> Answer:
        """List terms of use in pages of `MaxResults`: there are none."""
        self._pools.get(call, params["UserPoolId"])
        _check_first_page(params)
        return {"Terms": []}

    @operation("DescribeRiskConfiguration")
    def describe_risk_configuration(self, call: Call, params: Params) -> Answer:
        """Say that nothing is configured for risks. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        told = {"UserPoolId": pool.id}
        if "ClientId" in params:
            told["ClientId"] = self._pools.client_of(pool, params["ClientId"]).id
        return {"RiskConfiguration": told}

    @operation("GetLogDeliveryConfiguration")
    def get_log_delivery_configuration(self, call: Call, params: Params) -> Answer:
        """Say that a pool exports no logs. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        return {"LogDeliveryConfiguration": {"UserPoolId": pool.id, "LogConfigurations": []}}

    @operation("AdminListUserAuthEvents")
    async def admin_list_user_auth_events(self, call: Call, params: Params) -> Answer:
        """Say that a pool without threat protection keeps no history, in pages of `MaxResults` or at all.

        Raises: UserNotFoundException, UserPoolAddOnNotEnabledException.
        """
        _check_first_page(params)
        raise await self._no_history(call, params)

    @operation("AdminUpdateAuthEventFeedback")
    async def admin_update_auth_event_feedback(self, call: Call, params: Params) -> Answer:
        """Say that there is no event (`EventId`) to give a `FeedbackValue` of.

        Raises: UserNotFoundException, UserPoolAddOnNotEnabledException.
        """
        raise await self._no_history(call, params)

    async def _no_history(self, call: Call, params: Params) -> UserPoolAddOnNotEnabledException:
        pool: UserPool = self._pools.get(call, params["UserPoolId"])
        await self._users.get(pool, params["Username"])
        return UserPoolAddOnNotEnabledException(f"Threat protection is not enabled for user pool {pool.id}.")


def _check_first_page(params: Params) -> None:
    """Refuse the token of a page that we cannot have given. Raises: InvalidParameterException."""
    if "NextToken" in params:
        place_of(params["NextToken"], InvalidParameterException("Invalid NextToken"), "")
