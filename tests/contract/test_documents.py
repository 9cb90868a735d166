"""What pages point at is there: files, modules, targets of make."""

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
)
SOURCES = {path.relative_to(ROOT / "src" / "gatepost").as_posix() for path in (ROOT / "src" / "gatepost").rglob("*.py")}
MAKEFILE = (ROOT / "Makefile").read_text()


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_a_page_names_are_there(page):
    text = page.read_text()
    named = re.findall(r"`((?:src|tests|docs|tools|benchmarks|examples)/[\w./-]+)`", text)
    missing = [path for path in named if not (ROOT / path).exists()]
    modules = re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)(?::[\w.]+)?`", text)
    places = (ROOT, page.parent)
    missing += [path for path in modules if not is_source(path) and not any((at / path).exists() for at in places)]
    assert missing == []


def is_source(path: str) -> bool:
    """Say whether `path` is the end of a source's path, as pages name modules."""
    return any(source == path or source.endswith(f"/{path}") for source in SOURCES)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_that_a_page_names_can_be_run(page):
    text = page.read_text()
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", text)) - targets == set()
    modules = re.findall(r"python -m ((?:gatepost|benchmarks)[\w.]*)", text)
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


def test_make_runs_modules_that_are_there():
    modules = set(re.findall(r"python -m ([\w.]+)", MAKEFILE))
    assert {name for name in modules if importlib.util.find_spec(name) is None} == set()


def test_every_page_can_be_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or not page.exists():
            continue
        reached.add(page)
        if page.is_dir():
            waiting += page.glob("*.md")
        elif page.suffix == ".md":
            links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
            waiting += [(page.parent / link).resolve() for link in links if "://" not in link]
    assert [name_of(page) for page in PAGES if page not in reached and page.is_relative_to(ROOT / "docs")] == []
