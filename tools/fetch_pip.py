"""Install pip into the environment that runs this, from the package index, with the standard library alone."""

import hashlib
import json
import os
import re
import runpy
import sys
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

INDEX = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
JSON_PAGE = "application/vnd.pypi.simple.v1+json"


def newest_wheel() -> tuple[str, str]:
    """Give the address and SHA-256 of pip's newest release wheel."""
    request = urllib.request.Request(f"{INDEX}/pip/", headers={"Accept": f"{JSON_PAGE}, text/html;q=0.1"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        page, kind, base = answer.read().decode(), answer.headers.get_content_type(), answer.url
    if kind == JSON_PAGE:
        files = [(file["url"], file["hashes"].get("sha256", "")) for file in json.loads(page)["files"]]
    else:
        files = re.findall(r'href="([^"#]+)#sha256=([0-9a-f]{64})"', page)
    wheels = {}
    for url, sha256 in files:
        match = re.search(r"/pip-(\d+(?:\.\d+)*)-py3-none-any\.whl$", url)
        if match and sha256:
            wheels[tuple(map(int, match[1].split(".")))] = (urllib.parse.urljoin(base, url), sha256)
    return wheels[max(wheels)]


def main() -> None:
    """Fetch the wheel, check it, and have it install itself."""
    url, sha256 = newest_wheel()
    with urllib.request.urlopen(url, timeout=120) as answer:
        content = answer.read()
    if hashlib.sha256(content).hexdigest() != sha256:
        sys.exit(f"{url} is not what the index says: its SHA-256 differs")
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(folder, Path(urllib.parse.urlparse(url).path).name)
        wheel.write_bytes(content)
        sys.path.insert(0, str(wheel))
        sys.argv = ["pip", "install", "--quiet", "--no-index", str(wheel)]
        runpy.run_module("pip", run_name="__main__")


if __name__ == "__main__":
    main()
