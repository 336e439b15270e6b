"""Keys of a PACS that is asked by DICOMweb: what is wrong with them is one sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crawler.errors import UserError
from crawler.identity import NamedFile, TlsCall
from crawler.model import WebAccess
from crawler.secret import Secret
from crawler.settings import load

LAKE = "[lake]\npath = 'lake'\n"
PACS = LAKE + "[pacs.main]\nhost = 'h'\nport = 104\nae_title = 'X'\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pacslake.toml"


def complaint(file: Path, text: str) -> str:
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        load(file)
    return re.sub(rf"^{file}:\d+:\d+: ", "", str(caught.value))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "pacs.web wants a url, as 'https://pacs.example.org/dicom-web'"),
        ("url = 'ftp://h'", "pacs.web.url must be an address as 'https://"),
        ("url = 'https://h:99999'", "pacs.web has a url with a wrong port"),
        ("url = 'https://h/rs?a=1'", "pacs.web must have a url without ? and #"),
        ("url = 'https://h'\nhost = 'h'", "pacs.web is asked by DICOMweb: leave host out"),
        ("url = 'https://h'\nmodel = 'patient'", "pacs.web is asked by DICOMweb: leave model out"),
        ("url = 'https://h'\nusername = 'me'", "pacs.web must have both username and password_file, or neither"),
        ("url = 'http://h'\ntoken_file = 't'", "pacs.web must not send a secret in the clear: use https"),
        (
            "url = 'https://h'\ntoken_file = 't'\nusername = 'u'\npassword_file = 'p'",
            "pacs.web must have either a password_file or a token_file",
        ),
        ("url = 'https://h'\nkey_file = 'k'", "pacs.web must have a certificate_file for its key_file"),
    ],
)
def test_what_is_wrong_about_a_dicomweb_server_is_named(file: Path, text: str, sentence: str) -> None:
    assert complaint(file, f"{LAKE}[pacs.web]\nkind = 'dicomweb'\n{text}\n").startswith(sentence)


def test_the_keys_of_dicomweb_want_its_kind(file: Path) -> None:
    assert complaint(file, PACS + "url = 'https://h'\n").startswith(
        "pacs.main has url, which only kind = 'dicomweb' uses"
    )


def test_a_dicomweb_server_has_its_place_from_the_url(file: Path) -> None:
    file.write_text(f"{LAKE}[pacs.web]\nkind = 'dicomweb'\nurl = 'https://h/rs'\ntoken_file = 't'\nca_file = 'ca'\n")
    peer = load(file).peer("web")
    assert peer.tls == TlsCall("pacs.web", "h", NamedFile(file.parent / "ca", "pacs.web.ca_file"))
    assert (peer.host, peer.port) == ("h", 443)
    assert peer.web == WebAccess("https://h/rs", secret=Secret(file.parent / "t"))
