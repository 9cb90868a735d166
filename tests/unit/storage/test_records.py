import asyncio

import pytest

from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.operations import RecordKey
from gatepost.storage.base import Write
from tests.support.stores import some_records


def key(name, kind="role", region=""):
    return RecordKey(kind, "000000000000", region, name)


def run(tmp_path, scenario):
    async def whole():
        async with some_records(tmp_path) as records:
            return await scenario(records)

    return asyncio.run(whole())


def test_a_record_comes_back_with_its_version(tmp_path):
    async def scenario(records):
        first = await records.put(key("a"), {"n": 1}, expected_version=0)
        second = await records.put(key("a"), {"n": 2}, expected_version=first.version)
        return first.version, second.version, (await records.get(key("a"))).value

    assert run(tmp_path, scenario) == (1, 2, {"n": 2})


@pytest.mark.parametrize("expected_version", [0, 2, 7])
def test_a_write_with_the_wrong_version_changes_nothing(tmp_path, expected_version):
    async def scenario(records):
        await records.put(key("a"), {"n": 1}, expected_version=0)
        with pytest.raises(VersionConflict):
            await records.put(key("a"), {"n": 2}, expected_version=expected_version)
        return (await records.get(key("a"))).value

    assert run(tmp_path, scenario) == {"n": 1}


def test_a_commit_does_all_or_nothing(tmp_path):
    async def scenario(records):
        await records.put(key("b"), {}, expected_version=0)
        with pytest.raises(VersionConflict):
            await records.commit([Write(key("a"), {"n": 1}), Write(key("b"), {"n": 1}, 0)])
        return await records.get(key("a"))

    assert run(tmp_path, scenario) is None


def test_pages_follow_each_other_in_order_of_ids(tmp_path):
    async def scenario(records):
        await records.commit([Write(key(f"r{number:02}"), {}) for number in range(25)])
        await records.put(key("other", kind="user"), {}, expected_version=None)
        pages, after = [], ""
        while page := await records.page("role", "000000000000", "", after=after, count_max=10):
            pages.append([record.key.id for record in page])
            after = pages[-1][-1]
        return [len(page) for page in pages], pages[0][0], pages[-1][-1]

    assert run(tmp_path, scenario) == ([10, 10, 5], "r00", "r24")


def test_a_page_can_be_limited_to_a_prefix(tmp_path):
    async def scenario(records):
        await records.commit([Write(key(name), {}) for name in ("a", "ab", "b", "ba", "c")])
        return [record.key.id for record in await records.page("role", "000000000000", "", prefix="b")]

    assert run(tmp_path, scenario) == ["b", "ba"]


def test_delete_says_whether_it_was_there(tmp_path):
    async def scenario(records):
        await records.put(key("a"), {}, expected_version=0)
        return await records.delete(key("a")), await records.delete(key("a")), await records.get(key("a"))

    assert run(tmp_path, scenario) == (True, False, None)


def test_scan_finds_a_kind_in_every_region(tmp_path):
    async def scenario(records):
        await records.commit([Write(key("a", region="eu-west-1"), {}), Write(key("a", region="us-east-1"), {})])
        return [record.key.region for record in await records.scan("role")]

    assert run(tmp_path, scenario) == ["eu-west-1", "us-east-1"]
