"""Where secrets may be, who may read them, and that none is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crawler.errors import UserError
from crawler.secret import CREDENTIALS, Secret, secret_at
from crawler.settings import load

LAKE = "[lake]\npath = 'lake'\n"
SMTP = f"{LAKE}[smtp]\nhost = 'mail.example.org'\nusername = 'me'\npassword_file = "


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pacslake.toml"


def hidden(folder: Path, name: str, content: str = "hush\n", mode: int = 0o600) -> Path:
    (folder / name).write_text(content)
    (folder / name).chmod(mode)
    return folder / name


def password(file: Path, told: str, **environment: str) -> Secret:
    file.write_text(f"{SMTP}{told!r}\n")
    smtp = load(file, environment).smtp
    assert smtp is not None
    assert smtp.password_file is not None
    return smtp.password_file


def test_a_secret_is_read_from_a_file_a_variable_or_what_systemd_hands_over(file: Path) -> None:
    folder = file.parent
    (folder / "credentials").mkdir()
    hidden(folder, "word", "beside\r\n")
    hidden(folder, "credentials/smtp", "handed", 0o440)
    assert password(file, "word").read() == b"beside"
    assert password(file, str(folder / "word")).read() == b"beside"
    assert password(file, "credential:smtp", **{CREDENTIALS: str(folder / "credentials")}).read() == b"handed"
    assert password(file, "env:SMTP_WORD", SMTP_WORD="set").read() == b"set"


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ("gone", "gone cannot be read: No such file or directory"),
        ("nothing", "nothing is empty"),
        ("env:SMTP_WORD", "the variable SMTP_WORD is not there"),
        ("credential:smtp", "the credential smtp is not there"),
    ],
)
def test_a_secret_that_is_not_there_is_told_when_it_is_wanted(file: Path, told: str, sentence: str) -> None:
    hidden(file.parent, "nothing", "\n")
    with pytest.raises(UserError, match=sentence):
        password(file, told).read()


@pytest.mark.parametrize("told", ["env:", "env:A-B", "credential:", "credential:..", "credential:../word"])
def test_what_names_no_place_is_refused(told: str) -> None:
    with pytest.raises(ValueError, match="must be a file, 'credential:NAME' or 'env:NAME'"):
        secret_at(told, Path(), {})


@pytest.mark.parametrize(
    ("section", "barred"),
    [
        ("[smtp]\nhost = 'h'\nusername = 'u'\npassword_file = 's'", 0o077),
        ("[alerts.a]\nwebhook_file = 's'", 0o077),
        ("[alerts.a]\nwebhook = 'https://h'\nsecret_file = 's'", 0o077),
        ("[serve]\npassword_file = 's'", 0o077),
        ("[serve]\ntls_certificate = 'c'\ntls_key = 's'", 0o007),
        ("[serve]\ntrusted_proxy = { address = '10.0.0.5', secret_file = 's' }", 0o077),
        ("[pacs.w]\nkind = 'dicomweb'\nurl = 'https://h'\ntoken_file = 's'", 0o077),
        ("[pacs.w]\nkind = 'dicomweb'\nurl = 'https://h'\nusername = 'u'\npassword_file = 's'", 0o077),
        ("[pacs.w]\nkind = 'dicomweb'\nurl = 'https://h'\ncertificate_file = 'c'\nkey_file = 's'", 0o007),
        ("[phi]\nkey_file = 's'", 0o077),
        ("[deid]\nkey_file = 's'", 0o077),
    ],
)
def test_a_secret_that_others_can_read_is_refused_wherever_it_is_named(file: Path, section: str, barred: int) -> None:
    file.write_text(f"{LAKE}{section}\n")
    for mode in (0o600, 0o640, 0o620, 0o604, 0o602, 0o601):
        secret = hidden(file.parent, "s", mode=mode)
        if mode & barred:
            with pytest.raises(
                UserError, match=rf"{file}:\d+:\d+: \w+\.[.\w]*: {secret} can be read by .*: type chmod"
            ):
                load(file)
        else:
            load(file)


def test_no_secret_is_shown(file: Path) -> None:
    secret = password(file, "env:SMTP_WORD", SMTP_WORD="hush")
    shown = load(file, {"SMTP_WORD": "hush"}).model_dump(mode="json")
    assert shown["smtp"]["password_file"] == "the variable SMTP_WORD"
    assert "hush" not in json.dumps(shown) + repr(load(file, {"SMTP_WORD": "hush"})) + repr(secret) + str(secret)


def test_the_address_of_a_webhook_may_be_a_secret(file: Path) -> None:
    file.write_text(f"{LAKE}[alerts.a]\nwebhook_file = 'hook'\n")
    hidden(file.parent, "hook", "https://alerts.example.org/hush\n")
    alert = load(file).alerts["a"]
    assert (alert.address(), alert.way) == ("https://alerts.example.org/hush", f"webhook in {file.parent / 'hook'}")
    hidden(file.parent, "hook", "hush")
    with pytest.raises(UserError, match="hook must hold an address as 'https://") as caught:
        alert.address()
    assert "hush" not in str(caught.value)
