"""Virtual MFA devices: made with a seed, enabled for a user by two codes in a row, and asked for a code by STS.

A seed is told once, sealed at rest, and good for authenticator apps (RFC 6238). A code is good once, in its thirty
seconds and the ones beside them; ten wrong ones in five minutes and a device is left alone until these are over (kept
in memory). Passkeys, hardware devices and the root user's device are not there.

Sources: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateVirtualMFADevice.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_configure-api-require.html. Words: unverified.
"""

from __future__ import annotations

import base64
import io
import secrets
from collections import OrderedDict
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Call, operation
from gatepost.security.session_tokens import Sealing
from gatepost.security.totp import matching_steps, step_of
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.entities import Entities
from gatepost.services.iam.errors import (
    DeleteConflictException,
    EntityAlreadyExistsException,
    InvalidAuthenticationCodeException,
    LimitExceededException,
    NoSuchEntityException,
)
from gatepost.services.iam.holders import Answer, Params, missing
from gatepost.services.iam.listing import list_tags, new_tags, paged, tagged, untagged
from gatepost.services.iam.model import MFA_DEVICE, MfaDevice, User, tag_list, whole_second

SEED_BYTES: Final = 40  # 64 characters of base32
DEVICES_OF_USER_MAX: Final = 8
STEPS_AROUND: Final = 1
STEPS_AROUND_WHEN_SET: Final = 20  # a clock that is ten minutes off is found out by two codes in a row
WRONG_MAX: Final = 10
WRONG_MS: Final = 5 * 60 * 1000
NAMES_MAX: Final = 10_000
PURPOSE: Final = "mfa-seed"


class MfaCodes:
    """Checks the codes of enabled devices; what STS asks (`services.sts.roles.MfaCodes`)."""

    def __init__(self, directory: Directory, entities: Entities, seal: Sealing) -> None:
        self._directory = directory
        self._entities = entities
        self._seal = seal
        self._wrong: OrderedDict[str, list[int]] = OrderedDict()

    def seed(self, device: MfaDevice) -> bytes:
        """Give a device's seed."""
        return self._seal.open(base64.b64decode(device.sealed_seed), purpose=f"{PURPOSE}:{device.arn}")

    def sealed(self, seed: bytes, arn: str) -> str:
        """Seal a seed for its device."""
        return base64.b64encode(self._seal.seal(seed, purpose=f"{PURPOSE}:{arn}")).decode()

    def is_right(self, serial: str, user_id: str, code: str, now_ms: int) -> bool:
        """Say whether a code is of a user's device now. It can be used once: see `use`."""
        return self._step(serial, user_id, code, now_ms) is not None

    async def use(self, serial: str, user_id: str, code: str, now_ms: int) -> bool:
        """Use a code up, and say whether it was right and had not been used. Raises: StoreUnavailable."""
        step = self._step(serial, user_id, code, now_ms)
        device = self._directory.mfa_device(serial)
        if step is None or device is None:
            return False
        used = False

        def change(device: MfaDevice) -> MfaDevice:
            nonlocal used
            used = device.last_step < step and device.user_id == user_id
            return replace(device, last_step=step) if used else device

        await self._entities.change(
            MfaDevice, MFA_DEVICE, device.account_id, device.name, missing=_missing(serial), change=change
        )
        return used

    def _step(self, serial: str, user_id: str, code: str, now_ms: int) -> int | None:
        device = self._directory.mfa_device(serial)
        if device is None or not user_id or device.user_id != user_id or self._is_left_alone(serial, now_ms):
            return None
        now = step_of(now_ms) + device.drift_steps
        steps = range(max(device.last_step + 1, now - STEPS_AROUND), now + STEPS_AROUND + 1)
        found = matching_steps(self.seed(device), code, steps)
        if not found:
            self._note_wrong(serial, now_ms)
            return None
        return found[0]

    def _is_left_alone(self, serial: str, now_ms: int) -> bool:
        wrong = [at_ms for at_ms in self._wrong.get(serial, ()) if now_ms - at_ms < WRONG_MS]
        return len(wrong) >= WRONG_MAX

    def _note_wrong(self, serial: str, now_ms: int) -> None:
        wrong = [at_ms for at_ms in self._wrong.pop(serial, []) if now_ms - at_ms < WRONG_MS]
        self._wrong[serial] = [*wrong, now_ms]
        if len(self._wrong) > NAMES_MAX:
            self._wrong.popitem(last=False)


class MfaDeviceOperations:
    """The operations on virtual MFA devices; a part of the provider."""

    _directory: Directory
    _entities: Entities
    _mfa: MfaCodes

    @operation("CreateVirtualMFADevice")
    async def create_virtual_mfa_device(self, call: Call, params: Params) -> Answer:
        """Make a device that nobody has yet; its seed is told here and nowhere else.

        Raises: EntityAlreadyExists, InvalidInput, LimitExceeded.
        """
        name = f"{params.get('Path', '/')}{params['VirtualMFADeviceName']}"[1:]
        seed = secrets.token_bytes(SEED_BYTES)
        device = MfaDevice(call.account_id, name, "", tags=new_tags(params.get("Tags", ())))
        device = replace(device, sealed_seed=self._mfa.sealed(seed, device.arn))
        await self._entities.create(device, exists="MFADevice entity at the same path and name already exists.")
        text = base64.b32encode(seed)
        made: dict[str, Any] = {
            "SerialNumber": device.arn,
            "Base32StringSeed": text,
            "QRCodePNG": _qr_code(device, text.decode()),
            "Tags": tag_list(device.tags),
        }
        return {"VirtualMFADevice": made}

    @operation("DeleteVirtualMFADevice")
    async def delete_virtual_mfa_device(self, call: Call, params: Params) -> Answer:
        """Delete a device that nobody has. Raises: NoSuchEntity, DeleteConflict."""
        device = self._device(call, params)

        def check(device: MfaDevice) -> None:
            if device.user_id:
                raise DeleteConflictException("MFA VirtualDevice in use. Must deactivate first.")

        await self._entities.delete(
            MfaDevice, MFA_DEVICE, call.account_id, device.name, missing=_missing(device.arn), check=check
        )
        return {}

    @operation("EnableMFADevice")
    async def enable_mfa_device(self, call: Call, params: Params) -> Answer:
        """Give a device to a user who shows two codes in a row.

        Raises: NoSuchEntity, EntityAlreadyExists, InvalidAuthenticationCode, LimitExceeded.
        """
        user, device = self._mfa_user(call, params), self._device(call, params)
        step, drift = self._two_in_a_row(call, device, params)

        def change(device: MfaDevice) -> MfaDevice:
            if device.user_id:
                raise EntityAlreadyExistsException("MFA Device is already in use.")
            if len(self._of_user(user)) >= DEVICES_OF_USER_MAX:
                raise LimitExceededException(f"Cannot exceed quota for MFADevicesPerUser: {DEVICES_OF_USER_MAX}")
            return replace(
                device,
                user_id=user.id,
                enabled_at_ms=whole_second(call.now_ms),
                last_step=step,
                drift_steps=drift,
            )

        await self._change_device(device, change)
        return {}

    @operation("ResyncMFADevice")
    async def resync_mfa_device(self, call: Call, params: Params) -> Answer:
        """Learn how far a device's clock is off, by two codes in a row. Raises: as EnableMFADevice."""
        user, device = self._mfa_user(call, params), self._device(call, params)
        self._check_owner(device, user)
        step, drift = self._two_in_a_row(call, device, params)
        await self._change_device(device, lambda device: replace(device, last_step=step, drift_steps=drift))
        return {}

    @operation("DeactivateMFADevice")
    async def deactivate_mfa_device(self, call: Call, params: Params) -> Answer:
        """Take a device from its user, who may do without it from now on. Raises: NoSuchEntity."""
        device = self._device(call, params)
        if "UserName" in params:
            self._check_owner(device, self._mfa_user(call, params))
        elif call.principal.kind != "user" or device.user_id != call.principal.principal_id:
            raise NoSuchEntityException(_missing(device.arn))
        await self._change_device(device, lambda device: replace(device, user_id="", enabled_at_ms=0))
        return {}

    @operation("GetMFADevice")
    def get_mfa_device(self, call: Call, params: Params) -> Answer:
        """Describe a device that a user has. Raises: NoSuchEntity."""
        device = self._device(call, params)
        owner = self._owner_of(device)
        if owner is None or ("UserName" in params and owner is not self._mfa_user(call, params)):
            raise NoSuchEntityException(_missing(device.arn))
        return {"UserName": owner.name, "SerialNumber": device.arn, "EnableDate": device.enabled_at_ms}

    @operation("ListMFADevices")
    def list_mfa_devices(self, call: Call, params: Params) -> Answer:
        """List a user's devices, or the caller's own. Raises: NoSuchEntity."""
        if "UserName" not in params and call.principal.kind != "user":
            devices: list[MfaDevice] = []
        else:
            devices = self._of_user(self._mfa_user(call, {"UserName": call.principal.name, **params}))
        page, rest = paged(devices, params, name_of=lambda device: device.name)
        listed = []
        for device in page:
            owner = self._owner_of(device)
            told = {"SerialNumber": device.arn, "EnableDate": device.enabled_at_ms}
            listed.append({"UserName": owner.name if owner else "", **told})
        return {"MFADevices": listed, **rest}

    @operation("ListVirtualMFADevices")
    def list_virtual_mfa_devices(self, call: Call, params: Params) -> Answer:
        """List the account's devices, by `AssignmentStatus` those that somebody has, or nobody."""
        status = params.get("AssignmentStatus", "Any")
        devices = [
            device
            for device in self._directory.mfa_devices(call.account_id)
            if status == "Any" or bool(device.user_id) is (status == "Assigned")
        ]
        page, rest = paged(devices, params, name_of=lambda device: device.name)
        return {"VirtualMFADevices": [self._to_aws(device) for device in page], **rest}

    @operation("TagMFADevice")
    async def tag_mfa_device(self, call: Call, params: Params) -> Answer:
        """Set tags. Raises: NoSuchEntity, InvalidInput, LimitExceeded."""
        device = self._device(call, params)
        await self._change_device(device, lambda device: replace(device, tags=tagged(device.tags, params["Tags"])))
        return {}

    @operation("UntagMFADevice")
    async def untag_mfa_device(self, call: Call, params: Params) -> Answer:
        """Take tags away. Raises: NoSuchEntity."""
        device = self._device(call, params)
        await self._change_device(device, lambda device: replace(device, tags=untagged(device.tags, params["TagKeys"])))
        return {}

    @operation("ListMFADeviceTags")
    def list_mfa_device_tags(self, call: Call, params: Params) -> Answer:
        """List a device's tags. Raises: NoSuchEntity."""
        return list_tags(self._device(call, params).tags, params)

    def _device(self, call: Call, params: Params) -> MfaDevice:
        device = self._directory.mfa_device(params["SerialNumber"])
        if device is None or device.account_id != call.account_id:
            raise NoSuchEntityException(_missing(params["SerialNumber"]))
        return device

    def _mfa_user(self, call: Call, params: Params) -> User:
        user = self._directory.user(call.account_id, params["UserName"])
        if user is None:
            raise NoSuchEntityException(missing("user", params["UserName"]))
        return user

    def _of_user(self, user: User) -> list[MfaDevice]:
        return [device for device in self._directory.mfa_devices(user.account_id) if device.user_id == user.id]

    def _owner_of(self, device: MfaDevice) -> User | None:
        return self._directory.user_by_id(device.account_id, device.user_id) if device.user_id else None

    def _check_owner(self, device: MfaDevice, user: User) -> None:
        if device.user_id != user.id:
            raise NoSuchEntityException(_missing(device.arn))

    def _two_in_a_row(self, call: Call, device: MfaDevice, params: Params) -> tuple[int, int]:
        """Give the step of the second of two codes, and how many steps the device's clock is off.

        Raises: InvalidAuthenticationCode.
        """
        now = step_of(call.now_ms)
        steps = range(now - STEPS_AROUND_WHEN_SET, now + STEPS_AROUND_WHEN_SET + 1)
        seed = self._mfa.seed(device)
        for step in matching_steps(seed, params["AuthenticationCode2"], steps):
            if step > device.last_step and matching_steps(seed, params["AuthenticationCode1"], (step - 1,)):
                drift = step - now
                return step, drift if abs(drift) > STEPS_AROUND else 0
        raise InvalidAuthenticationCodeException("Authentication code for device is not valid.")

    async def _change_device(self, device: MfaDevice, change: Any) -> None:
        await self._entities.change(
            MfaDevice, MFA_DEVICE, device.account_id, device.name, missing=_missing(device.arn), change=change
        )

    def _to_aws(self, device: MfaDevice) -> dict[str, Any]:
        told: dict[str, Any] = {"SerialNumber": device.arn, "Tags": tag_list(device.tags)}
        if (owner := self._owner_of(device)) is not None:
            told |= {"User": owner.to_aws(), "EnableDate": device.enabled_at_ms}
        return told


def mfa_in_the_way(directory: Directory, user: User) -> ServiceError | None:
    """Give what keeps a user from being deleted who has a device."""
    if any(device.user_id == user.id for device in directory.mfa_devices(user.account_id)):
        return DeleteConflictException("Cannot delete entity, must delete MFA device first.")
    return None


def _qr_code(device: MfaDevice, seed: str) -> bytes:
    import segno

    label = quote(f"{device.name.rpartition('/')[2]}@{device.account_id}", safe="@")
    address = f"otpauth://totp/Gatepost:{label}?secret={seed}&issuer=Gatepost"
    drawn = io.BytesIO()
    segno.make(address, error="m").save(drawn, kind="png", scale=5)
    return drawn.getvalue()


def _missing(serial: str) -> str:
    return f"VirtualMFADevice with serial number {serial} doesn't exist."
