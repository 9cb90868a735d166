"""boto3, imported and read in before any worker is forked, so that a worker finds it in the memory that it inherits.

A client costs a tenth of a second to make, nearly all of it for JSON that botocore reads from its own folder:
endpoints, the service's model, what services there are. Its loaders remember that, but each session has a loader of
its own. So what `preload` made them read is kept by the file's path, and the loaders of sessions made later get the
same values: clients of one session have always shared them. Whatever else is asked for is read as before, files that
`AWS_DATA_PATH` or a home directory puts in front of botocore's among them.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import Any

SERVICES = ("dynamodb",)  # what is kept takes memory, and nearly every function that has boto3 has a table
UNUSED = "http://127.0.0.1:1"


def preload() -> None:
    """Import what nearly every handler needs, and what boto3 itself imports and reads late."""
    import decimal  # noqa: F401
    import logging.handlers  # noqa: F401
    import uuid  # noqa: F401

    try:
        # By name: none of Gatepost's own processes may import it, and this is not one of them.
        boto3 = importlib.import_module("boto3")
        importlib.import_module("boto3.dynamodb.conditions")
        importlib.import_module("botocore.config")
        botocore, loaders = importlib.import_module("botocore"), importlib.import_module("botocore.loaders")
    except ImportError:
        return
    kept = KeptFiles(loaders, [f"{package.__path__[0]}/data" for package in (boto3, botocore)])
    session = boto3.session.Session("warm", "warm", region_name="us-east-1")
    for service in SERVICES:
        session.client(service, endpoint_url=UNUSED)
        session.resource(service, endpoint_url=UNUSED)
    kept.is_open = False


class KeptFiles:
    """What `botocore.loaders` reads from `folders` while `is_open`, given to every loader from then on."""

    def __init__(self, loaders: Any, folders: Sequence[str]) -> None:
        self.is_open = True
        self._folders = sorted(folders)
        self._contents: dict[str, Any] = {}
        self._services: dict[str, list[str]] = {}
        self._replace_reading(loaders.JSONFileLoader)
        self._replace_listing(loaders.Loader)

    def _replace_reading(self, file_loader: Any) -> None:
        read, prefixes = file_loader.load_file, tuple(f"{folder}/" for folder in self._folders)

        def load_file(loader: Any, file_path: str) -> Any:
            found = self._contents.get(file_path)
            if found is None:
                found = read(loader, file_path)
                if self.is_open and file_path.startswith(prefixes):
                    self._contents[file_path] = found
            return found

        file_loader.load_file = load_file

    def _replace_listing(self, loader_class: Any) -> None:
        list_services = loader_class.list_available_services

        def list_available_services(loader: Any, type_name: str) -> Any:
            if sorted(path for path in loader.search_paths if os.path.isdir(path)) != self._folders:
                return list_services(loader, type_name)
            found = self._services.get(type_name)
            if found is None:
                found = list_services(loader, type_name)
                if self.is_open:
                    self._services[type_name] = found
            return list(found)

        loader_class.list_available_services = list_available_services
