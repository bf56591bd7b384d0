"""Settings: read all at once, refused all at once, documented all."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vendor_mgmt.settings import (
    EVERY_ADDRESS,
    SettingFinding,
    Settings,
    SettingsError,
    default_data_dir,
    fields,
    make_private_dir,
    secret_key,
    settings_as_markdown,
)

ROOT = Path(__file__).parents[2]


def refusals(environment: dict[str, str], **given_: object) -> dict[str, str]:
    """What is wrong, by the variable's name."""
    with pytest.raises(SettingsError) as raised:
        Settings.from_environment(environment, **given_)
    return {finding.name: str(finding) for finding in raised.value.findings}


def test_nothing_has_to_be_set() -> None:
    settings = Settings.from_environment({"HOME": "/home/ana"})
    assert (settings.host, settings.port, settings.roles) == ("127.0.0.1", 8000, ("web", "clock", "worker"))
    assert settings.database_url is None
    assert not settings.outbound_allow_private


def test_every_setting_can_be_set() -> None:
    written = {
        "VENDOR_MGMT_DATA_DIR": "/srv/vendors",
        "DATABASE_URL": "postgresql://clerk:pw@db/vendors",
        "VENDOR_MGMT_OWNER_DATABASE_URL": "postgres://owner:pw@db/vendors",
        "VENDOR_MGMT_POSTGRES_BIN_DIR": "/opt/pg/bin",
        "VENDOR_MGMT_HOST": "192.0.2.7",
        "VENDOR_MGMT_PORT": "80",
        "VENDOR_MGMT_BASE_URL": "https://vendors.example.com/",
        "VENDOR_MGMT_ROLES": "clock, web,clock",
        "VENDOR_MGMT_SECRET_KEY": "k" * 32,
        "VENDOR_MGMT_CREDENTIALS_KEY": "c" * 32,
        "VENDOR_MGMT_OUT_DIR": "/srv/out",
        "VENDOR_MGMT_LOG_FORMAT": "json",
        "VENDOR_MGMT_LOG_LEVEL": "debug",
        "VENDOR_MGMT_OUTBOUND_ALLOW_PRIVATE": "true",
        "VENDOR_MGMT_DELIVERY_DOCUMENT": "/etc/vendor-mgmt/delivery.yaml",
        "VENDOR_MGMT_OUTBOUND_PROXY": "http://proxy:3128",
        "VENDOR_MGMT_RAW_RETENTION_DAYS": "30",
        "VENDOR_MGMT_PDF_WORKERS": "4",
        "VENDOR_MGMT_PAPER": "letter",
        "VENDOR_MGMT_BRAND_NAME": "Marketplace Trust & Safety",
    }
    assert set(written) == {field.variable for field in fields()}, "a new setting belongs into this test"
    settings = Settings.from_environment(written)
    unchanged = [field.name for field in fields() if getattr(settings, field.name) == field.default]
    assert unchanged == []
    assert settings.roles == ("clock", "web")
    assert settings.public_url == "https://vendors.example.com"


def test_everything_wrong_is_said_at_once_with_name_value_and_repair() -> None:
    found = refusals(
        {
            "VENDOR_MGMT_PORT": "99999",
            "VENDOR_MGMT_ROLES": "web,janitor",
            "VENDOR_MGMT_PDF_WORKERS": "many",
            "VENDOR_MGMT_OUTBOUND_ALLOW_PRIVATE": "perhaps",
            "VENDOR_MGMT_PAPER": "legal",
            "DATABASE_URL": "sqlite:///vendors.db",
            "VENDOR_MGMT_PROT": "80",
        }
    )
    assert len(found) == 7
    assert found["VENDOR_MGMT_PORT"] == (
        "VENDOR_MGMT_PORT='99999': this is not a whole number from 0 to 65535. Set it to a whole number from 0 to 65535, or leave it out "
        "for `8000`."
    )
    assert "'web,janitor'" in found["VENDOR_MGMT_ROLES"]
    assert "true or false" in found["VENDOR_MGMT_OUTBOUND_ALLOW_PRIVATE"]
    assert "a4 or letter" in found["VENDOR_MGMT_PAPER"]
    assert "begins with sqlite://" in found["DATABASE_URL"]
    assert "Did you mean VENDOR_MGMT_PORT?" in found["VENDOR_MGMT_PROT"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "mysql://clerk:hush-hush@db/vendors"),
        ("DATABASE_URL", "postgresql://clerk:hush-hush@db:port/vendors"),
        ("VENDOR_MGMT_SECRET_KEY", "hush-hush"),
        ("VENDOR_MGMT_OUTBOUND_PROXY", "ftp://user:hush-hush@proxy"),
        ("VENDOR_MGMT_SECRET_KEYS", "hush-hush"),
    ],
)
def test_a_refused_secret_is_not_shown(variable: str, value: str) -> None:
    found = refusals({variable: value})
    assert list(found) == [variable]
    assert "hush-hush" not in found[variable]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("vendors.example.com", "it does not say how to talk to it; what can be used is http:// or https://. Write it as https://"),
        ("ftp://vendors.example.com", "it begins with ftp://; what can be used is http:// or https://"),
        ("https://", "it names no host"),
        ("https://vendors.example.com:x", "it is not an address"),
        ("https://vendors.example.com/scores/", "it goes on after the host, with /scores. Give the service a host of its own and write https://v"),
        ("https://vendors.example.com?a=1", "it goes on after the host, with ?a=1"),
        ("https://vendors example.com", "there is a space in it"),
        ("https://clerk:hush-hush@vendors.example.com", "it holds a user or a password"),
    ],
)
def test_an_address_that_people_could_not_reach_is_refused_with_what_to_write(value: str, problem: str) -> None:
    said = refusals({"VENDOR_MGMT_BASE_URL": value})["VENDOR_MGMT_BASE_URL"]
    assert problem in said
    assert "hush-hush" not in said


def test_neither_repr_nor_str_show_a_secret() -> None:
    settings = Settings.from_environment({"DATABASE_URL": "postgresql://a:hush-hush@db/x", "VENDOR_MGMT_SECRET_KEY": "hush-hush" * 4})
    assert "hush-hush" not in f"{settings!r} {settings}"
    assert "database_url=(hidden)" in repr(settings)


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://clerk:pw@db/vendors\n")
    settings = Settings.from_environment({"DATABASE_URL_FILE": str(tmp_path / "url")})
    assert settings.database_url == "postgresql://clerk:pw@db/vendors"
    assert "Set one of the two" in refusals({"DATABASE_URL_FILE": str(tmp_path / "url"), "DATABASE_URL": "postgresql://x/y"})["DATABASE_URL"]
    assert "cannot be read" in refusals({"DATABASE_URL_FILE": str(tmp_path / "none")})["DATABASE_URL_FILE"]
    assert "no such setting" in refusals({"VENDOR_MGMT_PORT_FILE": "x"})["VENDOR_MGMT_PORT_FILE"]


def test_options_win_over_the_environment_and_are_checked_alike() -> None:
    environment = {"VENDOR_MGMT_PORT": "9000", "VENDOR_MGMT_PAPER": "letter"}
    assert Settings.from_environment(environment, port=7, paper=None).port == 7
    assert Settings.from_environment(environment, port="7", paper=None).paper == "letter"
    assert "'-1'" in refusals(environment, port=-1)["VENDOR_MGMT_PORT"]


def test_an_empty_variable_counts_as_not_set() -> None:
    assert Settings.from_environment({"VENDOR_MGMT_PORT": "", "DATABASE_URL": ""}).port == 8000


def test_an_owner_without_a_server_is_refused() -> None:
    assert "DATABASE_URL is not set" in refusals({"VENDOR_MGMT_OWNER_DATABASE_URL": "postgresql://o@db/x"})["VENDOR_MGMT_OWNER_DATABASE_URL"]


@given(st.dictionaries(st.sampled_from([field.variable for field in fields() if not field.is_required]), st.text()))
def test_whatever_is_in_the_environment_it_is_read_or_refused_in_words(environment: dict[str, str]) -> None:
    refused: list[SettingFinding] = []
    try:
        settings = Settings.from_environment(environment)
    except SettingsError as error:
        refused = error.findings
    if refused:
        assert {finding.name for finding in refused} <= set(environment)
        assert all(finding.problem and finding.repair for finding in refused)
    else:
        assert 0 <= settings.port <= 65535
        assert settings.roles


def test_data_goes_where_the_platform_keeps_data() -> None:
    assert default_data_dir({"HOME": "/home/ana"}, as_root=False) == Path("/home/ana/.local/share/vendor-mgmt")
    assert default_data_dir({"HOME": "/home/ana", "XDG_DATA_HOME": "/data"}, as_root=False) == Path("/data/vendor-mgmt")
    assert default_data_dir({"HOME": "/home/ana", "XDG_DATA_HOME": "relative"}, as_root=False) == Path("/home/ana/.local/share/vendor-mgmt")
    assert default_data_dir({"HOME": "/root", "XDG_DATA_HOME": "/data"}, as_root=True) == Path("/var/lib/vendor-mgmt")


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [("127.0.0.1", 80, "http://127.0.0.1:80"), (EVERY_ADDRESS[0], 8000, "http://127.0.0.1:8000"), ("::1", 8000, "http://[::1]:8000")],
)
def test_without_a_public_address_links_lead_to_host_and_port(host: str, port: int, url: str, tmp_path: Path) -> None:
    assert Settings(data_dir=tmp_path, host=host, port=port).public_url == url


# The key that signs


def test_a_key_is_made_once_and_kept_to_its_owner(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new")
    key = secret_key(settings)
    assert len(key) >= 64
    assert secret_key(settings) == key
    assert stat.S_IMODE((settings.data_dir / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in settings.data_dir.iterdir()] == ["secret_key"]


def test_a_key_that_was_set_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    assert secret_key(Settings(data_dir=tmp_path / "new", secret_key="k" * 32)) == "k" * 32
    assert not (tmp_path / "new").exists()


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    program = "import sys; from pathlib import Path; from vendor_mgmt.settings import *\n"
    program += "print(secret_key(Settings(data_dir=Path(sys.argv[1]))))"
    started = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "new")], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    keys = {process.communicate()[0] for process in started}
    assert len(keys) == 1
    assert len(keys.pop()) > 64


def test_a_damaged_key_is_an_error_rather_than_a_weak_key(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("short")
    with pytest.raises(SettingsError, match="holds 5 characters"):
        secret_key(Settings(data_dir=tmp_path))
    (tmp_path / "secret_key").write_bytes(b"\xff" * 64)
    with pytest.raises(SettingsError, match="cannot be read"):
        secret_key(Settings(data_dir=tmp_path))


def test_only_folders_made_here_are_closed(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    make_private_dir(tmp_path / "open" / "a" / "b")
    mode = 0o711 if os.geteuid() == 0 else 0o700
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o755
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "open" / "a", tmp_path / "open" / "a" / "b")} == {mode}


# Documentation


@pytest.mark.parametrize("field", fields(), ids=lambda field: field.name)
def test_every_setting_is_described_in_a_sentence(field: object) -> None:
    description = field.description  # type: ignore[attr-defined]
    assert len(description) > 20
    assert description.endswith(".")


def test_the_page_of_settings_is_the_one_the_code_writes() -> None:
    page = ROOT / "docs" / "settings.md"
    assert page.read_text(encoding="utf-8") == settings_as_markdown(), "write it again: python -m vendor_mgmt.settings > docs/settings.md"


def test_no_code_reads_the_environment_past_the_settings() -> None:
    """Else a setting would exist that no page lists."""
    allowed = {
        "vendor_mgmt/engine.py": "Piccolo's own tools know only DATABASE_URL",
        "vendor_mgmt/embedded_postgres.py": "hands PATH and TMPDIR to the server",
    }
    readers = {
        str(path.relative_to(ROOT))
        for package in ("contracts", "scorecards", "vendor_mgmt")
        for path in (ROOT / package).rglob("*.py")
        # One variable by its name; handing the whole environment to another program is no reading.
        if re.search(r"environ(\.get\(|\[)|getenv\(", path.read_text(encoding="utf-8"))
    }
    assert readers == set(allowed)


def test_settings_are_one_frozen_type() -> None:
    assert Settings.__struct_config__.frozen
    assert Settings.__struct_config__.forbid_unknown_fields
    with pytest.raises(AttributeError):
        Settings(data_dir=Path("/x")).port = 1  # type: ignore[misc]
    assert msgspec.structs.replace(Settings(data_dir=Path("/x")), port=1).port == 1
