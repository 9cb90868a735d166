from __future__ import annotations

import os
import socket

from gatepost.services.lambda_.runner.callers import CallerLookup, find_in_table, holds


def test_the_kernel_says_whose_a_connections_other_end_is() -> None:
    lookup = CallerLookup()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        accepted, address = listener.accept()
        with accepted:
            caller = lookup.find(address, listener.getsockname())
            assert caller is not None
            assert (caller.uid, caller.inode) == (os.geteuid(), os.fstat(client.fileno()).st_ino)
            assert find_in_table(address, listener.getsockname()) == caller
            assert holds(os.getpid(), caller.inode)
            assert not holds(os.getpid(), caller.inode + 1_000_000)
            assert not holds(2**22 + 1, caller.inode)
    lookup.close()


def test_a_connection_that_is_not_there_is_nobodys() -> None:
    lookup = CallerLookup()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert lookup.find(("127.0.0.1", 1), listener.getsockname()) is None
        assert find_in_table(("127.0.0.1", 1), listener.getsockname()) is None
        assert find_in_table(("127.0.0.1", 1), listener.getsockname(), "/no/such/table") is None
        assert lookup.find(("192.0.2.1", 1), listener.getsockname()) is None
        with socket.create_connection(listener.getsockname()) as client:
            address = client.getsockname()
            assert lookup.find(address, listener.getsockname()) is not None  # not even accepted yet
        accepted, _ = listener.accept()
        accepted.close()
        assert lookup.find(address, listener.getsockname()) is None
    lookup.close()
