"""The credential report: a line of CSV for the root user and for each user, and when their credentials were used.

It is made when it is asked for, held in memory for four hours, and gone with the process.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gatepost.kernel.operations import Call, operation
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.errors import (
    CredentialReportExpiredException,
    CredentialReportNotPresentException,
)
from gatepost.services.iam.holders import Answer, Params
from gatepost.services.iam.last_uses import LastUses
from gatepost.services.iam.model import USER, AccessKey, PasswordPolicy, SigningCertificate, User, whole_second
from gatepost.services.iam.password_rules import expires_at_ms

REPORT_MS: Final = 4 * 60 * 60 * 1000
_ABSENT: Final = "N/A"
_COLUMNS: Final = (
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    *(
        f"access_key_{number}_{what}"
        for number in (1, 2)
        for what in ("active", "last_rotated", "last_used_date", "last_used_region", "last_used_service")
    ),
    "cert_1_active",
    "cert_1_last_rotated",
    "cert_2_active",
    "cert_2_last_rotated",
)


@dataclass(frozen=True, slots=True)
class CredentialReport:
    """A report and when it was made."""

    content: bytes
    made_at_ms: int


class CredentialReportOperations:
    """The operations on the credential report; a part of the provider."""

    _directory: Directory
    _uses: LastUses
    _reports: dict[str, CredentialReport]  # by account

    @operation("GenerateCredentialReport")
    def generate_credential_report(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """Make the report, at once; one that is younger than four hours stays."""
        if self._current(call) is None:
            self._reports[call.account_id] = CredentialReport(self._content(call), whole_second(call.now_ms))
            return {"State": "STARTED", "Description": "No report exists. Starting a new report generation task"}
        return {"State": "COMPLETE"}

    @operation("GetCredentialReport")
    def get_credential_report(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """Give the report. Raises: ReportNotPresent, ReportExpired."""
        report = self._current(call)
        if report is not None:
            return {"Content": report.content, "ReportFormat": "text/csv", "GeneratedTime": report.made_at_ms}
        if call.account_id in self._reports:
            raise CredentialReportExpiredException("The credential report is older than four hours: generate another.")
        raise CredentialReportNotPresentException(
            "No credential report exists. Use GenerateCredentialReport to make one."
        )

    def _current(self, call: Call) -> CredentialReport | None:
        report = self._reports.get(call.account_id)
        return report if report is not None and call.now_ms < report.made_at_ms + REPORT_MS else None

    def _content(self, call: Call) -> bytes:
        account = self._directory.account(call.account_id)
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(_COLUMNS)
        root = ["<root_account>", account.arn, _time(account.created_at_ms), "not_supported", "not_supported"]
        root += ["not_supported", "not_supported", "false"]
        lines.writerow(root + self._keys(account.access_keys) + _certificates(()))
        with_mfa = {device.user_id for device in self._directory.mfa_devices(call.account_id)}
        for user in self._directory.every(USER, call.account_id, User):
            first = [user.name, user.arn, _time(user.created_at_ms), *_password(user, account.password_policy)]
            first.append(_truth(user.id in with_mfa))
            lines.writerow(first + self._keys(user.access_keys) + _certificates(user.signing_certificates))
        return text.getvalue().removesuffix("\n").encode()

    def _keys(self, keys: Sequence[AccessKey]) -> list[str]:
        told: list[str] = []
        for key in keys[:2]:
            use = self._uses.of_key(key.id)
            told += [_truth(key.status == "Active"), _time(key.created_at_ms)]
            told += [_ABSENT] * 3 if use is None else [_time(use.at_ms), use.region, use.service]
        return told + ["false", *[_ABSENT] * 4] * (2 - len(keys[:2]))


def _password(user: User, policy: PasswordPolicy | None) -> list[str]:
    if user.login is None:
        return ["false", _ABSENT, _ABSENT, _ABSENT]
    next_ms = expires_at_ms(user.login, policy)
    return ["true", "no_information", _time(user.login.changed_at_ms), _ABSENT if next_ms is None else _time(next_ms)]


def _certificates(certificates: Sequence[SigningCertificate]) -> list[str]:
    told: list[str] = []
    for one in certificates[:2]:
        told += [_truth(one.status == "Active"), _time(one.uploaded_at_ms)]
    return told + ["false", _ABSENT] * (2 - len(certificates[:2]))


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
