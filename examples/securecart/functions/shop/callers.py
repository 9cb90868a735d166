"""Who calls: claims that API Gateway's authorizer has verified. Customers are known by `sub`, vendors by user name.

What they may do is said by their groups; who is in none may look at the catalogue, as everybody may.
"""

from typing import Any

from aws_lambda_powertools.event_handler.exceptions import ServiceError

ADMINS = "admins"
CUSTOMERS = "customers"
VENDORS = "vendors"


def check_customer(event: Any, customer_id: str) -> None:
    """Let customers reach what is their own, and admins everything. Raises: ServiceError 403."""
    claims = _claims(event)
    groups = _groups(claims)
    if ADMINS in groups or (CUSTOMERS in groups and claims.get("sub") == customer_id):
        return
    raise ServiceError(403, "That is for the customer alone")


def check_vendor(event: Any, vendor_id: str) -> None:
    """Let vendors manage what is their own, and admins everything. Raises: ServiceError 403."""
    claims = _claims(event)
    groups = _groups(claims)
    if ADMINS in groups or (VENDORS in groups and claims.get("cognito:username") == vendor_id):
        return
    raise ServiceError(403, "That is for the vendor alone")


def _claims(event: Any) -> dict[str, Any]:
    """Give the verified claims. Without an authorizer there are none, and nobody is let in."""
    authorizer = event["requestContext"].get("authorizer") or {}
    claims = authorizer.get("claims")
    return claims if isinstance(claims, dict) and claims.get("sub") else {}


def _groups(claims: dict[str, Any]) -> set[str]:
    """Give the groups: API Gateway hands the list over as text, names between commas."""
    return {name.strip() for name in str(claims.get("cognito:groups", "")).strip("[]").split(",")}
