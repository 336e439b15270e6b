"""All that goes between pacslake and others, by TLS: Orthanc is swept and sends, DCMTK asks the lake and is sent to."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from pydicom import dcmread

from crawler.errors import UserError
from crawler.model import AETitle, Level
from crawler.settings import load
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from jobs.cli import main
from tests.acceptance.serving import serving
from tests.integration.authority import Authority, Issued
from tests.integration.files import made_files
from tests.integration.real_pacs import free_port, orthanc, wait_for
from tests.integration.sending import in_layout

OURS = 'tls_certificate = "{0}.pem"\ntls_key = "{0}.key"\ntls_client_ca = "hospital.pem"\n'
ARCHIVE = Archive(1, date(2024, 3, 1), date(2024, 3, 1), series_per_study=1, rows=8, columns=6, most_images=2)


def test_orthanc_is_swept_asked_and_sends_by_tls(
    tmp_path: Path, orthanc_binary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hospital = Authority(tmp_path, "hospital")
    shown, ours, store = hospital.issue("orthanc"), hospital.issue("ours"), free_port()
    assert ours.certificate.name == "ours.pem"
    (tmp_path / "source").mkdir()
    files = made_files(tmp_path / "source")
    tls = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(shown.certificate),
        "DicomTlsPrivateKey": str(shown.key),
        "DicomTlsTrustedCertificates": str(hospital.ca),
        "DicomModalities": {"us": {"AET": "PACSLAKE", "Host": "127.0.0.1", "Port": store, "UseDicomTls": True}},
    }
    settings = tmp_path / "pacslake.toml"
    with orthanc(orthanc_binary, tmp_path, files, **tls) as port:
        place = f'[pacs.main]\nhost = "127.0.0.1"\nport = {port}\nae_title = "ORTHANC"\n'
        by_tls = f'{place}tls = true\nca_file = "hospital.pem"\n'
        head = f'[lake]\npath = "lake"\n[local]\nport = {store}\n{OURS.format("ours")}'
        settings.write_text(head + place)
        assert main(["echo", "main", "--config", str(settings)]) == 1, "it speaks TLS alone"
        settings.write_text(head + by_tls)
        assert main(["sweep", "--config", str(settings)]) == 0
        assert main(["find", "main", "StudyInstanceUID", "--config", str(settings), "--format", "json"]) == 0
        study = str(dcmread(files[0]).StudyInstanceUID)
        assert study in capsys.readouterr().out
        for way in ("get", "move"):
            arguments = [way, "main", "--study", study, "--to", str(tmp_path / way), "--config", str(settings)]
            assert main(arguments) == 0, capsys.readouterr().err
            assert {one.StudyInstanceUID for one in map(dcmread, in_layout(tmp_path / way))} == {study}


@contextmanager
def storescp(tool: Path, ae_title: str, port: int, folder: Path, *tls: str) -> Iterator[None]:
    """Run DCMTK's storescp, in the clear unless `tls` says otherwise."""
    with subprocess.Popen([str(tool), *tls, "-aet", ae_title, "-od", str(folder), str(port)]) as server:
        try:
            wait_for(port)
            yield
        finally:
            server.terminate()


def brought(settings: Path) -> dict[str, str]:
    """Make a lake with a study of one image, bring that, and give what is known of it."""
    [image, *_] = ARCHIVE.table(Level.IMAGE).to_pylist()
    with running(Simulator(ARCHIVE)) as pacs:
        at = f'[pacs.main]\nhost = "127.0.0.1"\nport = {pacs.port}\nae_title = "SIMPACS"\nretrieve_by = "get"\n'
        settings.write_text(f'[lake]\npath = "lake"\n[serve]\nlisten = ""\n{at}')
        assert main(["sweep", "--config", str(settings), "--level", "image"]) == 0
        retrieve = ["cohort", "retrieve", "--config", str(settings), "--series", image["SeriesInstanceUID"]]
        assert main(retrieve) == 0
    return dict(image)


def test_dcmtk_asks_the_lake_by_tls_and_is_sent_to_by_tls(tmp_path: Path, dcmtk_tool: Callable[[str], Path]) -> None:
    hospital, nobody = Authority(tmp_path, "hospital"), Authority(tmp_path, "nobody")
    hospital.issue("ours")
    caller, stranger, taker = hospital.issue("caller"), nobody.issue("stranger"), hospital.issue("taker")
    port, ports = free_port(), {"SAFE": free_port(), "PLAIN": free_port()}
    settings, image = tmp_path / "pacslake.toml", brought(tmp_path / "pacslake.toml")
    places = [
        f'{name} = {{ address = "127.0.0.1:{at}", tls = true, ca_file = "hospital.pem" }}' for name, at in ports.items()
    ]
    find = f'[find_scp]\nlisten = "127.0.0.1:{port}"\n{OURS.format("ours")}destinations = {{ {", ".join(places)} }}\n'
    settings.write_text(settings.read_text() + find)

    def tls(shown: Issued) -> list[str]:
        return ["+tls", str(shown.key), str(shown.certificate), "+cf", str(hospital.ca)]

    def found(*options: str) -> str:
        keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={image['StudyInstanceUID']}"]
        place = ["-aec", "PACSLAKE", "127.0.0.1", str(port)]
        command = [str(dcmtk_tool("findscu")), "-v", "-S", *place, *keys, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return done.stdout + done.stderr

    def moved(destination: str) -> int:
        """Ask by C-MOVE, which DCMTK's movescu cannot by TLS."""
        ours = f'[lake]\npath = "no"\n[local]\n{OURS.format("caller")}'
        lake = f'[pacs.lake]\nhost = "127.0.0.1"\nport = {port}\nae_title = "PACSLAKE"\n'
        lake += 'tls = true\nca_file = "hospital.pem"\n'
        (tmp_path / "caller.toml").write_text(ours + lake)
        what = ["move", "lake", "--study", image["StudyInstanceUID"], "--destination", destination]
        return main([*what, "--config", str(tmp_path / "caller.toml")])

    taken = {name: tmp_path / name for name in ports}
    for folder in taken.values():
        folder.mkdir()
    with (
        serving(tmp_path, "--find-scp") as service,
        storescp(dcmtk_tool("storescp"), "SAFE", ports["SAFE"], taken["SAFE"], *tls(taker)),
        storescp(dcmtk_tool("storescp"), "PLAIN", ports["PLAIN"], taken["PLAIN"]),
    ):
        service.wait_for("lake shown")
        said = found(*tls(caller))
        assert image["StudyInstanceUID"] in said.partition("Find Response: 1")[2], said
        for shown in ([], tls(stranger)):
            assert "Association Request Failed" in found(*shown)
        assert moved("SAFE") == 0
        assert {dcmread(file).StudyInstanceUID for file in taken["SAFE"].iterdir()} == {image["StudyInstanceUID"]}
        assert moved("PLAIN") == 3
        assert not list(taken["PLAIN"].iterdir())
        why = service.wait_for("files could not be sent")["reason"]
        assert "does not speak TLS at this port" in why or "hung up: does it speak TLS" in why


def test_a_destination_in_the_clear_must_be_said(tmp_path: Path) -> None:
    settings = tmp_path / "pacslake.toml"
    find = f'[lake]\npath = "lake"\n[find_scp]\n{OURS.format("ours")}destinations = {{ OLD = "192.0.2.1:104" }}\n'
    settings.write_text(find)
    with pytest.raises(UserError, match=r"files to OLD in the clear: write OLD = \{ address = '192\.0"):
        load(settings)
    settings.write_text(find.replace('"192.0.2.1:104"', '{ address = "192.0.2.1:104", tls = false }'))
    assert load(settings).find_scp.destinations[AETitle("OLD")].place == ("192.0.2.1", 104)
    settings.write_text(find.replace('"192.0.2.1:104"', '{ address = "192.0.2.1:104", ca_file = "hospital.pem" }'))
    with pytest.raises(UserError, match="OLD has ca_file, for which it needs tls = true"):
        load(settings)
