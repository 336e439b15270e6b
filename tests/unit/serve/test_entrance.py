"""Files by which the service knows people and shows who it is: what is wrong with one is a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crawler.errors import UserError
from crawler.serve.audit import Audit
from crawler.serve.listening import certificate_of
from crawler.serve.site import door_of
from crawler.settings import ServeSettings
from tests.acceptance.access import make_certificate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("entrance")
    for name in ("server", "other"):
        make_certificate(folder, name)
    for name, mode, content in (
        ("open.key", 0o644, (folder / "server.key").read_text()),
        ("open", 0o640, ""),
        ("wrong", 0o600, "anna:boss:$argon2id$v"),
        ("twice", 0o600, "anna:viewer:$argon2id$v\nanna:viewer:$argon2id$v\n"),
        ("latin", 0o600, ""),
    ):
        (folder / name).write_text(content)
        (folder / name).chmod(mode)
    (folder / "latin").write_bytes(b"\xe4")
    return folder


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"tls_certificate": "server.pem", "tls_key": "none.key"},
            "serve.tls_key: {folder}/none.key cannot be read: No such file",
        ),
        ({"tls_certificate": "none.pem", "tls_key": "server.key"}, "none.pem cannot be read: No such file"),
        (
            {"tls_certificate": "server.pem", "tls_key": "other.key"},
            "serve.tls_key: {folder}/other.key is not the key of",
        ),
        (
            {"tls_certificate": "open", "tls_key": "server.key"},
            "one of them is no PEM file, the key is encrypted, or too weak",
        ),
        ({"tls_certificate": "server.pem", "tls_key": "open.key"}, "open.key can be read by everybody: type chmod o="),
        ({"password_file": "none"}, "none: there is no such file; `pacslake users add` makes it"),
        ({"password_file": "open"}, "open can be read by others: type chmod 600 "),
        ({"password_file": "wrong"}, "wrong: line 1 is not name:role:hash, as `pacslake users add` writes it"),
        ({"password_file": "twice"}, "twice: anna stands twice"),
        ({"password_file": "latin"}, "latin: cannot be read: it is not UTF-8 text"),
        ({"trusted_proxy": {"address": "127.0.0.1", "secret_file": "none"}}, "none cannot be read: No such file"),
        ({"trusted_proxy": {"address": "127.0.0.1", "secret_file": "open"}}, "open can be read by others: type chmod"),
        ({"trusted_proxy": {"address": "127.0.0.1", "secret_file": "latin"}}, "latin holds less than 16 characters"),
    ],
)
def test_a_file_that_is_wrong_is_told_of(folder: Path, settings: dict[str, Any], sentence: str) -> None:
    read = ServeSettings.model_validate(settings, context={"folder": folder})
    with pytest.raises(UserError) as caught:
        certificate_of(read) if read.tls_key else door_of(read, Audit(folder))
    assert sentence.format(folder=folder) in str(caught.value)
    assert "argon2" not in str(caught.value)


def test_a_certificate_that_became_wrong_leaves_the_one_before(folder: Path, tmp_path: Path) -> None:
    make_certificate(tmp_path)
    names = {"tls_certificate": "server.pem", "tls_key": "server.key"}
    known = certificate_of(ServeSettings.model_validate(names, context={"folder": tmp_path}))
    assert known is not None
    (tmp_path / "server.key").write_bytes((folder / "other.key").read_bytes())
    with pytest.raises(UserError, match="is not the key of"):
        known.renew()
    make_certificate(tmp_path)
    known.renew()
