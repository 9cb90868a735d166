"""Users by CSV file: a job, an address that the file is put to, and the users that come of its lines.

The address is ours, sealed and good for fifteen minutes (on AWS it is one of S3's). Imported users have no password:
they are RESET_REQUIRED, and get in by a forgotten password.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-using-import-tool.html
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import csv
import io
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceError, StoreUnavailable
from gatepost.kernel.ids import random_id
from gatepost.kernel.ids import request_id as random_uuid
from gatepost.kernel.operations import Call, operation
from gatepost.kernel.ports import Assets
from gatepost.kernel.tasks import Tasks
from gatepost.security.sealing import NotSealed
from gatepost.security.session_tokens import Sealing
from gatepost.services.cognito_idp.desk import new_name
from gatepost.services.cognito_idp.errors import (
    InvalidParameterException,
    LimitExceededException,
    PreconditionNotMetException,
    ResourceNotFoundException,
    UserImportInProgressException,
)
from gatepost.services.cognito_idp.pool import DAY_MS, IMPORT_JOB, MINUTE_MS, UserPool
from gatepost.services.cognito_idp.pool_settings import unsupported
from gatepost.services.cognito_idp.pool_things import PoolThings
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.schema import check_attributes, check_required, schema_of
from gatepost.services.cognito_idp.user import RESET_REQUIRED, VERIFIABLE, User
from gatepost.services.cognito_idp.users import Users

log = logging.getLogger(__name__)

Params = Mapping[str, Any]
Answer = dict[str, Any]

ROUTE: Final = "/_gatepost/user-import/"
FILE_BYTES_MAX: Final = 10 * 1024 * 1024
LINES_MAX: Final = 500_000
JOBS_MAX: Final = 50
UPLOAD_MS: Final = 15 * MINUTE_MS
EXPIRES_MS: Final = DAY_MS  # a job that is not started
TOKEN_CHARACTERS_MAX: Final = 512
_PURPOSE: Final = "user-import"
AGAIN_S: Final = 1.0
_CUT_OFF: Final = "The job was cut off. Start another with the same file: users who exist already are skipped."
_FIRST: Final = ("cognito:mfa_enabled", "cognito:username")
_NOT_IN_FILES: Final = frozenset({"sub", "identities"})
_RUNNING: Final = frozenset({"Pending", "InProgress", "Stopping"})


class Imports:
    """Jobs, their files and their runs."""

    def __init__(
        self,
        things: PoolThings,
        users: Users,
        pools: Pools,
        tasks: Tasks,
        *,
        assets: Assets,
        seal: Sealing,
        clock: Clock,
        url: Callable[[], str],
    ) -> None:
        self._things = things
        self._users = users
        self._pools = pools
        self._tasks = tasks
        self._assets = assets
        self._seal = seal
        self._clock = clock
        self._url = url
        self.again_s = AGAIN_S

    def address(self, pool: UserPool, job_id: str) -> str:
        """Give where a job's file can be put, from now on for fifteen minutes."""
        plain = f"{pool.id}:{job_id}:{self._clock.now_ms() + UPLOAD_MS}".encode()
        token = base64.urlsafe_b64encode(self._seal.seal(plain, purpose=_PURPOSE)).decode().rstrip("=")
        return f"{self._url()}{ROUTE}{token}"

    async def take(self, token: str, content: bytes) -> bool:
        """Keep a job's file; False: the address is none of ours, or too old. Raises: StoreUnavailable."""
        if len(token) > TOKEN_CHARACTERS_MAX or len(content) > FILE_BYTES_MAX:
            return False
        try:
            sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            pool_id, job_id, ends_ms = self._seal.open(sealed, purpose=_PURPOSE).decode().split(":")
        except (NotSealed, binascii.Error, ValueError):
            return False
        pool = self._pools.find(pool_id)
        if pool is None or int(ends_ms) <= self._clock.now_ms():
            return False
        record = await self._things.get(IMPORT_JOB, pool, job_id)
        if record is None or record.value["status"] != "Created":
            return False
        sha256 = await self._assets.put(content)
        value = {**record.value, "file": sha256}
        await self._things.put(IMPORT_JOB, pool, job_id, value, version=record.version)
        return True

    def start(self, pool: UserPool, job_id: str) -> None:
        """Run a job in the background."""
        self._tasks.spawn(self._run(pool, job_id), name=f"import {job_id}")

    async def end_those_cut_off(self) -> None:
        """End the jobs that ran when services went: nobody runs them any more. Raises: StoreUnavailable."""
        for record in await self._things.everywhere(IMPORT_JOB):
            if record.value["status"] in _RUNNING:
                told = {"status": "Failed", "message": _CUT_OFF, "completed_at_ms": self._clock.now_ms()}
                await self._things.rewrite(record, {**record.value, **told})

    async def _run(self, pool: UserPool, job_id: str) -> None:
        counts = {"imported": 0, "skipped": 0, "failed": 0}
        try:
            await self._import(pool, job_id, counts)
        except StoreUnavailable:
            log.warning("an import was cut off: the store is lost", extra={"job": job_id})
            await self._ended_once_it_can(pool, job_id, counts)

    async def _ended_once_it_can(self, pool: UserPool, job_id: str, counts: Mapping[str, int]) -> None:
        while True:
            try:
                await self._ended(pool, job_id, "Failed", counts, _CUT_OFF)
            except StoreUnavailable:
                await asyncio.sleep(self.again_s)
            else:
                return

    async def _import(self, pool: UserPool, job_id: str, counts: dict[str, int]) -> None:
        record = await self._things.get(IMPORT_JOB, pool, job_id)
        if record is None:
            return
        value = {**record.value, "status": "InProgress"}
        await self._things.put(IMPORT_JOB, pool, job_id, value, version=None)
        path = self._assets.path(value["file"])
        try:
            text = path.read_text("utf-8-sig") if path is not None else ""
            rows = _rows(pool, text)
        except (OSError, UnicodeDecodeError, InvalidParameterException) as error:
            await self._ended(pool, job_id, "Failed", counts, f"The file cannot be read: {error}")
            return
        for row in rows:
            standing = await self._things.get(IMPORT_JOB, pool, job_id)
            if standing is None:
                return
            if standing.value["status"] == "Stopping":
                await self._ended(pool, job_id, "Stopped", counts, "The job was stopped by the user.")
                return
            counts[await self._imported(pool, row)] += 1
        await self._ended(pool, job_id, "Succeeded", counts, "Import Job Completed Successfully.")

    async def _imported(self, pool: UserPool, row: Mapping[str, str]) -> str:
        """Make a user of a line; says whether it was imported, skipped (there is one) or failed."""
        attributes = {name: value for name, value in row.items() if value and name not in _FIRST}
        sub, now_ms = random_uuid(), self._clock.now_ms()
        try:
            name, attributes = new_name(pool, row.get("cognito:username", ""), attributes, sub=sub)
            check_attributes(pool, attributes, is_new=True, is_admin=True)
            check_required(pool, attributes)
            user = User(pool.id, name, {"sub": sub, **attributes}, RESET_REQUIRED, now_ms, now_ms)
            if not any(user.is_verified(attribute) for attribute in VERIFIABLE):
                return "failed"
            if row.get("cognito:mfa_enabled", "").lower() == "true":
                if not user.attributes.get("phone_number"):
                    return "failed"
                user = _with_sms(user)
            if await self._users.find(pool, name) is not None:
                return "skipped"
            await self._users.create(pool, user)
        except ServiceError:
            return "failed"
        return "imported"

    async def _ended(self, pool: UserPool, job_id: str, status: str, counts: Mapping[str, int], message: str) -> None:
        record = await self._things.get(IMPORT_JOB, pool, job_id)
        if record is not None:
            value = {
                **record.value,
                **counts,
                "status": status,
                "message": message,
                "completed_at_ms": self._clock.now_ms(),
            }
            await self._things.put(IMPORT_JOB, pool, job_id, value, version=None)


class ImportOperations:
    """The operations on import jobs; a part of the provider."""

    _pools: Pools
    _things: PoolThings
    _imports: Imports

    @operation("GetCSVHeader")
    def get_csv_header(self, call: Call, params: Params) -> Answer:
        """Give the columns of a pool's file. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        return {"UserPoolId": pool.id, "CSVHeader": columns_of(pool)}

    @operation("CreateUserImportJob")
    async def create_user_import_job(self, call: Call, params: Params) -> Answer:
        """Make a job; its file is put to PreSignedUrl. Raises: ResourceNotFoundException, LimitExceededException."""
        pool = self._pools.get(call, params["UserPoolId"])
        if params.get("PasswordHashingAlgorithm"):
            raise unsupported("PasswordHashingAlgorithm", "passwords are not imported: users reset theirs")
        if len(await self._things.every(IMPORT_JOB, pool)) >= JOBS_MAX:
            raise LimitExceededException(f"A user pool has at most {JOBS_MAX} import jobs.")
        job_id = f"import-{random_id(10)}"
        value = {
            "id": job_id,
            "name": params["JobName"],
            "role_arn": params["CloudWatchLogsRoleArn"],
            "status": "Created",
            "created_at_ms": call.now_ms,
            "started_at_ms": 0,
            "completed_at_ms": 0,
            "imported": 0,
            "skipped": 0,
            "failed": 0,
            "message": "",
            "file": "",
        }
        await self._things.put(IMPORT_JOB, pool, job_id, value, version=0)
        return {"UserImportJob": {**_job_to_aws(pool, value), "PreSignedUrl": self._imports.address(pool, job_id)}}

    @operation("StartUserImportJob")
    async def start_user_import_job(self, call: Call, params: Params) -> Answer:
        """Start a job whose file is there. Raises: PreconditionNotMetException, UserImportInProgressException."""
        pool = self._pools.get(call, params["UserPoolId"])
        record = await self._job(pool, params["JobId"])
        if any(job["status"] in _RUNNING for job in await self._things.every(IMPORT_JOB, pool)):
            raise UserImportInProgressException("Another import job is running.")
        if record["status"] != "Created" or record["created_at_ms"] + EXPIRES_MS <= call.now_ms:
            raise PreconditionNotMetException(f"The job cannot be started: it is {record['status']}.")
        if not record["file"]:
            raise PreconditionNotMetException("No file was put to the job's PreSignedUrl.")
        value = {**record, "status": "Pending", "started_at_ms": call.now_ms}
        await self._things.put(IMPORT_JOB, pool, params["JobId"], value, version=None)
        self._imports.start(pool, params["JobId"])
        return {"UserImportJob": _job_to_aws(pool, value)}

    @operation("StopUserImportJob")
    async def stop_user_import_job(self, call: Call, params: Params) -> Answer:
        """Stop a job that runs. Raises: PreconditionNotMetException, ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        record = await self._job(pool, params["JobId"])
        if record["status"] not in _RUNNING:
            raise PreconditionNotMetException(f"The job cannot be stopped: it is {record['status']}.")
        value = {**record, "status": "Stopping"}
        await self._things.put(IMPORT_JOB, pool, params["JobId"], value, version=None)
        return {"UserImportJob": _job_to_aws(pool, value)}

    @operation("DescribeUserImportJob")
    async def describe_user_import_job(self, call: Call, params: Params) -> Answer:
        """Describe a job. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        return {"UserImportJob": _job_to_aws(pool, await self._job(pool, params["JobId"]))}

    @operation("ListUserImportJobs")
    async def list_user_import_jobs(self, call: Call, params: Params) -> Answer:
        """Give a page of a pool's jobs. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        found, more = await self._things.page(IMPORT_JOB, pool, params, token="PaginationToken")  # noqa: S106 a name
        return {"UserImportJobs": [_job_to_aws(pool, value) for value in found], **more}

    async def _job(self, pool: UserPool, job_id: str) -> dict[str, Any]:
        record = await self._things.get(IMPORT_JOB, pool, job_id)
        if record is None:
            raise ResourceNotFoundException(f"Import job {job_id} does not exist.")
        return record.value


def columns_of(pool: UserPool) -> list[str]:
    """Give the columns of a pool's CSV file."""
    names = [
        name
        for name, attribute in schema_of(pool).items()
        if name not in _NOT_IN_FILES and not attribute["DeveloperOnlyAttribute"]
    ]
    return [*names, *_FIRST]


def _rows(pool: UserPool, text: str) -> list[dict[str, str]]:
    lines = csv.reader(io.StringIO(text))
    try:
        header = [name.strip() for name in next(lines, [])]
        if sorted(header) != sorted(columns_of(pool)):
            raise InvalidParameterException("The header in the CSV file does not match the expected headers")
        rows = [dict(zip(header, (cell.strip() for cell in line), strict=False)) for line in lines if line]
    except csv.Error as error:
        raise InvalidParameterException(f"The file is no CSV: {error}") from error
    if len(rows) > LINES_MAX:
        raise InvalidParameterException(f"A file has at most {LINES_MAX} users.")
    return rows


def _with_sms(user: User) -> User:
    return replace(user, second_factors=["SMS_MFA"], preferred_factor="SMS_MFA")


def _job_to_aws(pool: UserPool, value: Mapping[str, Any]) -> Answer:
    return {
        "JobName": value["name"],
        "JobId": value["id"],
        "UserPoolId": pool.id,
        "CreationDate": value["created_at_ms"],
        "StartDate": value["started_at_ms"] or None,
        "CompletionDate": value["completed_at_ms"] or None,
        "Status": value["status"],
        "CloudWatchLogsRoleArn": value["role_arn"],
        "ImportedUsers": value["imported"],
        "SkippedUsers": value["skipped"],
        "FailedUsers": value["failed"],
        "CompletionMessage": value["message"] or None,
    }
