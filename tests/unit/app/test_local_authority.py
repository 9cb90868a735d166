"""The local authority's files: made once, kept, guarded, and made anew when the names change."""

import pytest

from gatepost.app.local_authority import load_authority
from gatepost.app.trusted_files import trust_variables
from gatepost.kernel.errors import SettingsError
from tests.support.tls import NOW_MS


def test_the_authority_is_made_once_and_its_key_is_for_its_owner_only(tmp_path):
    first = load_authority(tmp_path / "ca.key", tmp_path, (), NOW_MS)
    again = load_authority(tmp_path / "ca.key", tmp_path, (), NOW_MS)
    assert again.certificate == first.certificate
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "trust.pem").read_text().endswith((tmp_path / "ca.pem").read_text())


def test_other_names_or_an_end_in_sight_make_a_new_one(tmp_path):
    first = load_authority(tmp_path / "ca.key", tmp_path, (), NOW_MS)
    second = load_authority(tmp_path / "ca.key", tmp_path, ("shop.test",), NOW_MS)
    assert second.certificate != first.certificate
    assert second.permitted == ("localhost", "shop.test")
    later = NOW_MS + 9 * 366 * 86_400_000
    assert load_authority(tmp_path / "ca.key", tmp_path, ("shop.test",), later).certificate != second.certificate


def test_a_key_that_others_may_read_and_damaged_files_are_refused(tmp_path):
    load_authority(tmp_path / "ca.key", tmp_path, (), NOW_MS)
    (tmp_path / "ca.key").chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        load_authority(tmp_path / "ca.key", tmp_path, (), NOW_MS)
    (tmp_path / "ca.key").chmod(0o600)
    (tmp_path / "ca.pem").write_text("nonsense")
    with pytest.raises(SettingsError, match="damaged"):
        load_authority(tmp_path / "ca.key", tmp_path, (), NOW_MS)


def test_programs_are_told_whom_to_trust(tmp_path):
    assert trust_variables(tmp_path, "/seen") == {"NODE_EXTRA_CA_CERTS": "/seen/ca.pem"}
    (tmp_path / "trust.pem").write_text("x")
    assert trust_variables(tmp_path, "/seen")["SSL_CERT_FILE"] == "/seen/trust.pem"
