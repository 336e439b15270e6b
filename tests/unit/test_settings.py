"""pacslake.toml: what is right is read, what is wrong is one sentence with the file and the key."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from crawler.attributes import OWN_NAMES
from crawler.columns import schema
from crawler.errors import UserError
from crawler.lake.dictionary import dictionary
from crawler.lake.schema import log_schema
from crawler.model import AETitle, Level, Limits, Model, Peer
from crawler.pacs.profile import Profile, profile_from
from crawler.settings import (
    AlertSettings,
    DeidSettings,
    FindScpSettings,
    JobSettings,
    LakeSettings,
    LocalSettings,
    PacsSettings,
    PhiSettings,
    ServeSettings,
    SmtpSettings,
    TrustedProxySettings,
    load,
    nearest,
)
from crawler.settings.web import WebSettings

EXAMPLE = Path(__file__).parents[2] / "config" / "pacslake.example.toml"
LAKE = "[lake]\npath = 'lake'\n"
SERVE = LAKE + "[serve]\n"
PACS = LAKE + "[pacs.main]\nhost = 'h'\nport = 104\nae_title = 'X'\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pacslake.toml"


def complaint(file: Path, text: str | bytes) -> str:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as caught:
        load(file)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return re.sub(rf"^{file}:(\d+:\d+:)? ", "", sentence)


def test_the_example_is_right_and_names_every_key() -> None:
    settings = load(EXAMPLE)
    assert settings.pacs["main"].levels == (Level.STUDY, Level.SERIES)
    assert settings.jobs["nightly"].lookback_days == 7
    text = EXAMPLE.read_text()
    kinds = (LakeSettings, LocalSettings, PacsSettings, JobSettings, ServeSettings, AlertSettings, SmtpSettings)
    for table in (*kinds, PhiSettings, DeidSettings, FindScpSettings):
        for key in table.model_fields:
            assert re.search(rf"^(# )?{key} = ", text, re.MULTILINE), key
    proxy = re.findall(r"^# trusted_proxy = (.*)", text, re.MULTILINE)[0]
    assert set(re.findall(r"(\w+) =", proxy)) == set(TrustedProxySettings.model_fields)
    TrustedProxySettings.model_validate(tomllib.loads(f"shown = {proxy}")["shown"])


def test_the_defaults_that_the_example_shows_are_the_defaults(file: Path) -> None:
    file.write_text(
        re.sub(r"^# (?=\w+ = )", "", EXAMPLE.read_text().partition("# A second PACS")[0], flags=re.MULTILINE).replace(
            'path = "lake"', 'path = "s3://hospital/lake"', 1
        )
    )
    shown = load(file).pacs["main"]
    plain = load(EXAMPLE).pacs["main"]
    assert shown == plain


def test_files_that_are_named_by_default_stand_beside_the_settings(file: Path) -> None:
    file.write_text(LAKE)
    assert load(file).deid.key_file.file == file.parent / "deid.key"


def test_the_examples_of_a_second_pacs_are_right(file: Path) -> None:
    head, mark, tail = EXAMPLE.read_text().partition("# [pacs.archive]")
    one_of_two = re.sub(r"^# trusted_proxy = .*\n", "", mark + tail, flags=re.MULTILINE)
    file.write_text(head + re.sub(r"^# (?=\w+ = |\[)", "", one_of_two, flags=re.MULTILINE))
    overrides = load(file).pacs["archive"].overrides
    assert set(overrides) == {field.name for field in fields(Profile)} - {"refused"}, "people set `omit`"
    assert profile_from([], overrides) == Profile(
        500,
        frozenset(("StudyTime", "ModalitiesInStudy")),
        frozenset(("InstitutionName",)),
        ("StationName",),
        dates_only=True,
        one_query_per_association=True,
        study_modality=True,
        undated_in_ranges=True,
        exclusive_ends=True,
        always_timed=True,
        uid_lists=True,
        relational=True,
        added=load(file).attributes.resolved(),
    )


def test_the_examples_of_attributes_are_right_and_each_pacs_is_asked_for_them(file: Path) -> None:
    text = re.sub(r"^# (?=\[attributes|study = |series = |image = )", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    file.write_text(text)
    settings = load(file)
    assert [(level.value, key.keyword) for level, key in settings.attributes.resolved()] == [
        ("study", "PatientAge"),
        ("study", "PatientSize"),
        ("series", "RequestAttributesSequence_ScheduledProcedureStepID"),
        ("image", "b_value"),
    ]
    assert settings.pacs["main"].overrides == {"added": settings.attributes.resolved()}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("direct = 'hide'", "phi.direct must be 'keep', 'hash' or 'drop', not 'hide'"),
        ("indirect = 'drop'", "phi.indirect is not a known key; did you mean 'direct'?"),
        (
            "columns.PatientNam = 'drop'",
            "phi.columns.PatientNam: no attribute has this keyword; did you mean 'PatientNa",
        ),
        (
            "columns.patient_given_name = 'drop'",
            "phi.columns.patient_given_name: no attribute has this keyword; PatientN",
        ),
        (
            "columns.StudyInstanceUID = 'hash'",
            "phi.columns.StudyInstanceUID must be 'keep': without it a PACS cannot be",
        ),
        ("columns.StudyDate = 'drop'", "phi.columns.StudyDate must be 'keep': without it a PACS cannot be asked again"),
        ("columns.PatientID = 'drop'", "phi.columns.PatientID must be 'keep' or 'hash': it is the key of the table"),
        (
            "columns.PatientBirthDate = 'hash'",
            "phi.columns.PatientBirthDate must be 'keep' or 'drop': only text can be",
        ),
    ],
)
def test_what_is_wrong_with_phi(file: Path, text: str, sentence: str) -> None:
    assert complaint(file, LAKE + f"[phi]\n{text}\n").startswith(sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("study = ['PatientAgee']", "attributes.study[0] must be the keyword or the tag of an attribute (did you mean"),
        ("stduy = ['PatientAge']", "attributes.stduy is not a known key; did you mean 'study'?"),
        ("study = ['PixelData']", "attributes.study[0] has the VR OB or OW; columns can hold AE, AS, CS"),
        ("study = ['StudyDate']", "attributes.study[0] is asked for at this level anyway"),
        ("study = ['0019,1010']", "attributes.study[0] is private, and needs name and creator and vr beside it"),
        ("study = ['0010,9999']", "attributes.study[0] has a tag that PS3.6 does not know"),
        (
            "study = ['PatientAge.PatientSize']",
            "attributes.study[0] has 'PatientAge' in its path, which is no sequence",
        ),
        ("study = [3]", "attributes.study[0] must be a section with keys of its own, not 3"),
        (
            "study = [{ attribut = 'PatientAge' }]",
            "attributes.study[0].attribut is not a known key; did you mean 'attri",
        ),
        (
            "study = [{ attribute = 'PatientAge', name = 'pacs' }]",
            "cannot have a column 'pacs': give it another `name`",
        ),
        ("study = [{ attribute = 'PatientAge', creator = 'X' }]", "is no private attribute"),
        ("study = [{ attribute = 'PatientAge', phi = 'no' }]", "attributes.study[0].phi must be 'direct', 'quasi' or"),
        ("study = ['PatientAge', '0010,1010']", "attributes.study: PatientAge stands there twice"),
        ("study = ['Rows', { attribute = 'PatientAge', name = 'rowS' }]", "another attribute has a column"),
        (
            "study = [{ attribute = 'PatientSize', name = 'StudyDate' }]",
            "has a column StudyDate already; give this one",
        ),
        ("study = ['0002,0010']", "attributes.study[0] cannot be asked for"),
    ],
)
def test_a_mistake_in_attributes_is_one_sentence_with_the_key(file: Path, text: str, sentence: str) -> None:
    assert sentence in complaint(file, f"{LAKE}[attributes]\n{text}")


def test_no_attribute_can_take_the_name_of_a_column_of_ours() -> None:
    decoded = {field.name for level in Level for field in schema(level)}
    ours = {entry.column for entry in dictionary() if entry.level and not entry.tag}
    bookkeeping = ours | {name for name in log_schema().names if name == name.lower()} - decoded
    assert bookkeeping <= OWN_NAMES


def test_what_is_not_set_overrides_nothing(file: Path) -> None:
    file.write_text(PACS)
    assert load(file).pacs["main"].overrides == {}
    file.write_text(PACS + "cap = 0\nunsupported_keys = []\ndates_only = false\n")
    assert load(file).pacs["main"].overrides == {"cap": None, "unsupported": frozenset(), "dates_only": False}


def test_a_peer_has_everything_that_an_association_needs(file: Path) -> None:
    file.write_text(PACS + "idle_timeout = 5\nmax_pdu = 16384\nmodel = 'patient'\n[local]\nae_title = ' ME '\n")
    settings = load(file)
    limits = Limits(idle_timeout=5.0, max_pdu=16384)
    assert settings.peer("main") == Peer("main", "h", 104, AETitle("X"), AETitle("ME"), limits)
    assert settings.pacs["main"].model is Model.PATIENT_ROOT
    with pytest.raises(UserError, match="there is no PACS named 'mian'; did you mean 'main'"):
        settings.peer("mian")


def test_a_relative_lake_starts_from_the_folder_of_the_file(file: Path, tmp_path: Path) -> None:
    file.write_text(LAKE)
    assert load(file).lake.path == tmp_path / "lake"
    file.write_text("[lake]\npath = '/data/lake'\n")
    assert load(file).lake.path == Path("/data/lake")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "lake is missing"),
        ("[lake]\n", "lake.path is missing"),
        ("[lake]\npath = 3", "lake.path must be text in quotes, not 3"),
        ("[lake]\npath = ''", "lake.path must not be empty, not ''"),
        ("[lake]\npath = 'ftp://host/lake'", "lake.path must be s3://BUCKET/PREFIX"),
        ("[lakes]\npath = 'lake'", "lakes is not a known key; did you mean 'lake'? (1 more after this one)"),
        (LAKE + "[local]\nprot = 1", "local.prot is not a known key; did you mean 'port'?"),
        (
            LAKE + "[local]\nxyz = 1",
            "local.xyz is not a known key; known are accept_unsolicited, ae_title, allowed_senders",
        ),
        (LAKE + "[local]\nport = 0", "local.port must be 1 or more, not 0"),
        (LAKE + "[local]\nport = 65536", "local.port must be 65535 or less, not 65536"),
        (LAKE + "[local]\nport = '104'", "local.port must be a whole number, not '104'"),
        (LAKE + "[local]\nport = 104.0", "local.port must be a whole number, not 104.0"),
        (LAKE + "[local]\nport = true", "local.port must be a whole number, not True"),
        (LAKE + "[local]\nallowed_senders = ['A@b']", "must be an AE title, or one with an address or network as"),
        (LAKE + "[local]\nallowed_senders = ['A@10.0.0.1/8']", "must be an AE title, or one with an address"),
        (LAKE + "[local]\nallowed_senders = ['']", "must not be empty or blank"),
        (LAKE + "[local]\nae_title = ''", "local.ae_title must not be empty or blank, not ''"),
        (LAKE + "[local]\nae_title = '   '", "local.ae_title must not be empty or blank, not '   '"),
        (LAKE + "[local]\nae_title = 'SEVENTEEN_LETTERS'", "must have 16 characters at most, not 'SEVENTEEN_LETTERS'"),
        (LAKE + "[local]\nae_title = 'A\\B'", "must be ASCII without backslash and control characters, not 'A\\\\B'"),
        (LAKE + '[local]\nae_title = "A\\u0007"', "must be ASCII without backslash and control characters"),
        (LAKE + "[local]\nae_title = 'RÖNTGEN'", "must be ASCII without backslash and control characters"),
        (PACS.replace("port = 104\n", ""), "pacs.main.port is missing"),
        (PACS + "levels = []", "pacs.main.levels must not be empty"),
        (PACS + "levels = 'study'", "pacs.main.levels must be a list, as ['one', 'two'], not 'study'"),
        (PACS + "levels = ['studies']", "pacs.main.levels[0] must be 'study', 'series' or 'image', not 'studies'"),
        (PACS + "levels = ['study', 'patient']", "pacs.main.levels[1] must be 'study', 'series' or 'image'"),
        (PACS + "levels = [1]", "pacs.main.levels[0] must be 'study', 'series' or 'image', not 1"),
        (PACS + "idle_timeout = 0", "pacs.main.idle_timeout must be more than 0, not 0"),
        (PACS + "idle_timeout = nan", "pacs.main.idle_timeout must be"),
        (PACS + "default_charset = 'latin-1'", "pacs.main.default_charset must be a value of SpecificCharacterSet"),
        (PACS + "declared_charsets = { 'ISO_IR 100' = 'utf8' }", "declared_charsets.ISO_IR 100 must be a value of"),
        (PACS + "declared_charsets = { '' = 'ISO_IR 192' }", "default_charset is for answers that declare nothing"),
        (PACS.replace("'h'", "'two words'"), "pacs.main.host must be a host name or an IP address, not 'two words'"),
        (PACS + "cap = -1", "pacs.main.cap must be 0 or more, not -1"),
        (PACS + "dates_only = 'yes'", "pacs.main.dates_only must be true or false, not 'yes'"),
        (
            PACS + "model = 'worklist'\nlevels = ['study']\nuid_lists = true",
            "pacs.main is a worklist, which has nothing below it: leave levels and uid_lists out",
        ),
        (PACS + "omit_keys = ['StudyInstanceUID']", "pacs.main.omit_keys[0] must be an attribute that answers can do"),
        (PACS + "unsupported_keys = ['StudyTme']", "(did you mean 'StudyTime'?), not 'StudyTme'"),
        (LAKE + "[serve]\nlisten = '127.0.0.1:65536'", "serve.listen must be an address and a port, as '127.0.0.1:80"),
        (LAKE + "[serve]\nlisten = '::1:80'", "serve.listen must be an address and a port"),
        (
            SERVE + "listen = '0.0.0.0:80'",
            "serve listens at 0.0.0.0:80, which other machines reach: add to [serve] tls_certificate = 'server.pem', "
            "tls_key = 'server.key' and password_file = 'users' (which `pacslake users add` fills) or trusted_proxy = ",
        ),
        (
            SERVE + "listen = '[::]:80'\npassword_file = 'u'",
            "reach: add to [serve] tls_certificate = 'server.pem', tls_",
        ),
        (SERVE + "listen = 'h:80'\ntls_certificate = 'c'\ntls_key = 'k'", "reach: add to [serve] password_file = 'us"),
        (SERVE + "tls_certificate = 'c'", "serve needs tls_certificate and tls_key, or neither"),
        (SERVE + "queue = 'db.example.org'", "serve.queue must be as 'postgresql://pacslake@db.example.org/pacslake'"),
        (
            SERVE + "queue = 'postgresql://p:hush@h/d'",
            "serve.queue must not hold a password: [serve] queue_",
        ),
        (SERVE + "queue = 'postgresql://p@h/d?password=hush'", "serve.queue must not hold a password"),
        (SERVE + "role = 'admin'", "serve.role must be 'viewer', 'analyst' or 'operator', not 'admin'"),
        (
            SERVE + "password_file = 'u'\ntrusted_proxy = { address = '10.0.0.5' }",
            "serve has password_file and trusted_",
        ),
        (
            SERVE + "trusted_proxy = { address = '127.0.0.1' }",
            "serve.trusted_proxy is on this machine, where everybody",
        ),
        (SERVE + "trusted_proxy = { address = 'proxy' }", "serve.trusted_proxy.address must be an address or a range"),
        (SERVE + "trusted_proxy = { address = '10.0.0.5', role_header = 'a b' }", "must be the name of a header, as"),
        (SERVE + "trusted_proxy = { adress = '10.0.0.5' }", "trusted_proxy.adress is not a known key; did you mean"),
        (LAKE + "[serve]\nsql_memory = 1", "serve.sql_memory must be a number with MB or GB, as '1GB'"),
        (LAKE + "[serve]\nsql_memory = '9MB'", "serve.sql_memory must be 100000000 or more"),
        (LAKE + "[serve]\nsql_rows = 0", "serve.sql_rows must be 1 or more, not 0"),
        (PACS + "port = 105", "pacs.main.port stands twice"),
        (PACS + PACS.removeprefix(LAKE), "pacs.main stands twice"),
        (PACS + PACS.removeprefix(LAKE).replace("main", "MAIN"), "pacs.MAIN and pacs.main are the same name"),
        (PACS.replace("main", "'the main'"), "pacs.'the main': a name has letters, digits, - and _ only"),
        (LAKE + "[pacs]\nmain = 3", "pacs.main must be a section with keys of its own, not 3"),
        (PACS + "[jobs.n]\nkind = 'sweep'\ncron = '0 1 * * *'\npacs = ['mian']", "jobs.n.pacs: there is no PACS named"),
        (PACS + "[jobs.n]\nkind = 'sweep'\ncron = '0 1 * *'", "jobs.n.cron must have five fields"),
        (PACS + "[jobs.n]\nkind = 'swep'\ncron = '0 1 * * *'", "must be 'sweep', 'reconcile', 'retrieve', 'maintain'"),
        (PACS + "[jobs.n]\nkind = 'find'\ncron = '0 1 * * *'", "or 'check', not 'find'"),
        (
            PACS + "[jobs.n]\nkind = 'sweep'\ninterval = '1h'\ncohorts = ['a']",
            'names cohorts, which only kind = "retrieve',
        ),
        (PACS + "[jobs.n]\nkind = 'retrieve'\ninterval = '1h'\ncohorts = ['a']", "there is no section [cohorts.a]"),
        (
            PACS + "[cohorts.a]\nsql = 'from series'\npacs = 'mian'",
            "cohorts.a.pacs: there is no PACS named 'mian'; did",
        ),
        (PACS + "[cohorts.a]\nsql = 'from series'\nretrieve = 'yes'", "cohorts.a.retrieve must be 'auto' or 'no', not"),
        (PACS + "[cohorts.a]\nsql = ''", "cohorts.a.sql"),
        (PACS + "[jobs.n]\nkind = 'sweep'", "jobs.n must have either cron or interval"),
        (PACS + "[jobs.n]\nkind = 'sweep'\ncron = '0 1 * * *'\ninterval = '1h'", "must have either cron or interval"),
        (
            PACS + "[jobs.n]\nkind = 'sweep'\ninterval = 15",
            "jobs.n.interval must be a number with s, m, h or d, as '15m'",
        ),
        (PACS + "[jobs.n]\nkind = 'sweep'\ninterval = '0s'", "jobs.n.interval must be between 1s and 366d, not '0s'"),
        (PACS + "[jobs.n]\nkind = 'sweep'\ninterval = '1h'\njitter = '2d'", "jobs.n.jitter must be 1d at most"),
        (LAKE + "[local]\ntime_zone = 'Berlin'", "local.time_zone must be a time zone that this machine knows"),
        (LAKE + "[local]\ntime_zone = '../x'", "local.time_zone must be a time zone that this machine knows"),
        (LAKE + "[local]\ntime_zone = ''", "local.time_zone must be a time zone that this machine knows"),
        ("lake = = 3", "is not TOML: invalid value"),
        (b"\xff\xfe", "is not UTF-8 text"),
    ],
)
def test_a_mistake_is_one_sentence_with_the_key(file: Path, text: str | bytes, sentence: str) -> None:
    assert sentence in complaint(file, text)


def test_a_file_that_cannot_be_read_is_a_sentence_too(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file; `pacslake init` writes one"):
        load(tmp_path / "none.toml")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        load(tmp_path)


@given(st.text() | st.binary())
def test_whatever_stands_in_the_file_it_is_settings_or_a_user_error(
    tmp_path_factory: pytest.TempPathFactory, text: str | bytes
) -> None:
    file = tmp_path_factory.mktemp("settings") / "pacslake.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UserError):
        load(file)


VALUES = st.recursive(
    st.integers(-10, 70000) | st.text(max_size=20) | st.booleans() | st.floats() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from([key for key in PacsSettings.model_fields if key not in WebSettings.model_fields]), VALUES)
def test_any_value_under_any_key_is_accepted_or_named(key: str, value: object) -> None:
    try:
        accepted = PacsSettings.model_validate({"host": "h", "port": 104, "ae_title": "X", key: value})
    except ValidationError as error:
        blamed = {str(one["loc"][0]) for one in error.errors()}
    else:
        blamed = {key}
        assert 1 <= accepted.port <= 65535
        assert 1 <= len(accepted.ae_title) <= 16
        assert accepted.levels
    assert blamed == {key}


def test_the_nearest_name_is_suggested() -> None:
    assert nearest("prot", ["port", "host"]) == "; did you mean 'port'?"
    assert nearest("zzz", ["port", "host"]) == "; known are host, port"
    assert nearest("zzz", []) == "; none is known"


def test_the_store_lies_beside_the_settings_unless_told_otherwise(file: Path) -> None:
    file.write_text(LAKE)
    assert load(file).local.store_path == file.parent / "store"
    file.write_text(LAKE + "[local]\nstore_path = '/data/store'\nallowed_senders = [' A ', 'B@192.0.2.7']\n")
    local = load(file).local
    assert (local.store_path, local.allowed_senders) == (Path("/data/store"), ("A", "B@192.0.2.7/32"))
    assert not local.accept_unsolicited
