"""The filter as a program: what it answers for a call, without a kernel."""

from __future__ import annotations

import errno
import socket
import struct

import pytest

from gatepost.services.lambda_.runner.worker.syscalls import (
    ABSENT,
    ALLOW,
    ARCHITECTURES,
    CLONE,
    FORBIDDEN,
    REFUSE,
    SOCKET,
    program,
)


def answer(
    machine: str, number: int, *, architecture: int | None = None, first_argument: int = 0, third_argument: int = 0
) -> int:
    """Run the program as the kernel does."""
    steps = [struct.unpack_from("=HBBI", program(machine), at) for at in range(0, len(program(machine)), 8)]
    held = {0: number, 4: ARCHITECTURES[machine][1] if architecture is None else architecture}
    held |= {16: first_argument, 32: third_argument}
    value, at = 0, 0
    while True:
        code, jump_true, jump_false, operand = steps[at]
        at += 1
        if code == 0x06:
            return operand
        if code == 0x20:
            value = held[operand]
            continue
        is_true = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[code]
        at += jump_true if is_true else jump_false


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_each_call_has_its_answer(machine: str) -> None:
    column = ARCHITECTURES[machine][0]
    for calls, expected in ((ABSENT, errno.ENOSYS), (FORBIDDEN, errno.EPERM)):
        for name, numbers in calls.items():
            assert answer(machine, numbers[column]) == REFUSE | expected, name
    assert all(answer(machine, number) == ALLOW for number in (0, 1, 61, 63, 65, 257))


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_clone_makes_processes_and_threads_but_no_namespaces(machine: str) -> None:
    number = CLONE[ARCHITECTURES[machine][0]]
    assert answer(machine, number, first_argument=17) == ALLOW
    assert answer(machine, number, first_argument=0x3D0F00) == ALLOW  # a thread
    for namespace in (0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert answer(machine, number, first_argument=namespace | 17) == REFUSE | errno.EPERM


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_sockets_are_of_networks_and_files(machine: str) -> None:
    number = SOCKET[ARCHITECTURES[machine][0]]
    for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, 16):
        assert answer(machine, number, first_argument=family) == ALLOW
    for family, protocol in ((40, 0), (38, 0), (17, 0), (21, 0), (0, 0), (16, 9), (16, 12)):
        refused = answer(machine, number, first_argument=family, third_argument=protocol)
        assert refused == REFUSE | errno.EAFNOSUPPORT, family


def test_calls_of_another_architecture_are_refused() -> None:
    assert answer("x86_64", 1, architecture=0x40000003) == REFUSE | errno.ENOSYS  # int 0x80
    assert answer("x86_64", 0x40000000 + 1) == REFUSE | errno.ENOSYS  # x32


def test_an_unknown_machine_has_no_filter() -> None:
    with pytest.raises(KeyError):
        program("riscv64")
