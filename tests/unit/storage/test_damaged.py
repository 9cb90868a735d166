import apsw
import pytest

from gatepost.kernel.errors import SettingsError
from gatepost.storage.damaged import DamagedFile


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "some.db"
    connection = apsw.Connection(str(path))
    connection.execute(
        "CREATE TABLE t1 (key BLOB PRIMARY KEY, size INTEGER NOT NULL, item BLOB NOT NULL) WITHOUT ROWID"
    )
    connection.execute("CREATE TABLE log (sequence INTEGER PRIMARY KEY, text TEXT)")
    with connection:
        for number in range(2_000):
            connection.execute("INSERT INTO t1 VALUES (?,?,?)", (b"%05d" % number, 1, b"x" * 50))
            connection.execute("INSERT INTO log VALUES (?,?)", (number, "y" * 50))
    connection.close()
    return path


def leaves(path, name):
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    sql = "SELECT pageno FROM dbstat WHERE name=? AND pagetype='leaf' ORDER BY path"
    found = [number for (number,) in connection.execute(sql, (name,))]
    connection.close()
    return found


def spoil(path, pages):
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * 4096)
            file.write(b"\xa5" * 4096)


def read(path):
    file = DamagedFile(path)
    try:
        return sorted(row[0] for row in file.items("t1")), [row[0] for row in file.rows("log")], file.gaps
    finally:
        file.close()


def test_a_whole_file_has_no_gaps(path):
    items, log, gaps = read(path)
    assert (len(items), log, gaps) == (2_000, list(range(2_000)), [])


def test_items_around_several_bad_pages_are_read_and_the_gaps_are_told(path):
    pages = leaves(path, "t1")
    spoil(path, [pages[3], pages[10], pages[11], pages[-4]])
    items, _, gaps = read(path)
    assert 2_000 - 4 * 80 < len(items) < 2_000
    assert len(items) == len(set(items))
    missing = {b"%05d" % number for number in range(2_000)} - set(items)
    assert all(any(gap.low < key.hex() < gap.high for gap in gaps) for key in missing)
    assert not any(gap.low < key.hex() < gap.high for gap in gaps for key in items)


def test_rows_are_read_from_both_ends(path):
    pages = leaves(path, "log")
    spoil(path, [pages[5]])
    _, log, gaps = read(path)
    (gap,) = gaps
    assert gap.relation == "log"
    assert set(log) == {*range(int(gap.low) + 1), *range(int(gap.high), 2_000)}


def test_a_file_whose_first_page_is_gone_says_so(path):
    spoil(path, [1])
    with pytest.raises(SettingsError, match="only a backup"):
        DamagedFile(path)
