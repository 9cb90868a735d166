"""Which calls of the kernel a worker cannot make: those that leave its box, its memory limit or its own processes.

A list of what is refused, not of what is allowed: a function may bring any library. Refused is what hands out memory
that nobody's MemorySize counts (`memfd_create`, shared memory of System V), what makes namespaces (in one of its own a
process has every capability, and reaches parts of the kernel that it otherwise could not), what looks into other
processes, and rarely needed parts of the kernel in which weaknesses are found again and again: of sockets there are
those of networks and files, and what the C library asks for addresses (a virtual machine's way to its host is none).

Numbers: https://github.com/torvalds/linux, arch/x86/entry/syscalls/syscall_64.tbl and scripts/syscall.tbl (arm64).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from typing import Any

# x86_64, arm64
ABSENT = {  # answered as by a kernel that does not have them: libraries then do without
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "io_uring_setup": (425, 425),
    "userfaultfd": (323, 282),
    "clone3": (435, 435),  # its flags lie in memory, where no filter sees them; the C library goes on to clone
}
FORBIDDEN = {
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "open_by_handle_at": (304, 265),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
}
CLONE = (56, 220)
NEW_NAMESPACES = 0x7E02_0000  # every CLONE_NEW… flag of clone
SECCOMP = (317, 277)
SOCKET = (41, 198)
FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6
NETLINK, NETLINK_ROUTE = 16, 0
ARCHITECTURES = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}
FOREIGN_CALLS_FROM = 0x4000_0000  # x86_64's x32 calls: the same calls by other numbers

LOAD, IF_EQUAL, IF_AT_LEAST, IF_ANY, ANSWER = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE = 0x7FFF_0000, 0x0005_0000
NUMBER_AT, ARCHITECTURE_AT, FIRST_AT, THIRD_AT = 0, 4, 16, 32  # the last two are arguments
SET_MODE_FILTER, WITHOUT_MITIGATION = 1, 4  # the kernel's mitigation for filtered processes would slow all of them down


def program(machine: str) -> bytes:
    """Give the filter for a machine, as the kernel's own small instructions. Raises: KeyError for an unknown one."""
    column, architecture = ARCHITECTURES[machine]
    absent, forbidden = REFUSE | errno.ENOSYS, REFUSE | errno.EPERM
    steps = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (IF_EQUAL, 1, 0, architecture),
        (ANSWER, 0, 0, absent),
        (LOAD, 0, 0, NUMBER_AT),
        (IF_AT_LEAST, 0, 1, FOREIGN_CALLS_FROM),
        (ANSWER, 0, 0, absent),
    ]
    for calls, answer in ((ABSENT, absent), (FORBIDDEN, forbidden)):
        for numbers in calls.values():
            steps += [(IF_EQUAL, 0, 1, numbers[column]), (ANSWER, 0, 0, answer)]
    steps += [
        (IF_EQUAL, 0, 4, CLONE[column]),
        (LOAD, 0, 0, FIRST_AT),
        (IF_ANY, 0, 1, NEW_NAMESPACES),
        (ANSWER, 0, 0, forbidden),
        (ANSWER, 0, 0, ALLOW),
        (IF_EQUAL, 1, 0, SOCKET[column]),
        (ANSWER, 0, 0, ALLOW),
        (LOAD, 0, 0, FIRST_AT),
    ]
    for family in FAMILIES:
        steps += [(IF_EQUAL, 0, 1, family), (ANSWER, 0, 0, ALLOW)]
    steps += [
        (IF_EQUAL, 0, 3, NETLINK),
        (LOAD, 0, 0, THIRD_AT),
        (IF_EQUAL, 0, 1, NETLINK_ROUTE),
        (ANSWER, 0, 0, ALLOW),
        (ANSWER, 0, 0, REFUSE | errno.EAFNOSUPPORT),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def refuse_calls(libc: Any) -> bool:
    """Have the kernel refuse them to this process and all that it starts, and say whether it does.

    The process must have given up new privileges before.
    """
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        return False
    instructions = program(machine)
    held = ctypes.create_string_buffer(instructions, len(instructions))
    packed = struct.pack("HP", len(instructions) // 8, ctypes.addressof(held))
    given = ctypes.create_string_buffer(packed, len(packed))
    number = SECCOMP[ARCHITECTURES[machine][0]]
    return any(
        libc.syscall(number, SET_MODE_FILTER, flags, ctypes.byref(given)) == 0 for flags in (WITHOUT_MITIGATION, 0)
    )
