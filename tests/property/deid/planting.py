"""Patients of several scripts, and the forms in which what is known of them may stand in a file, by chance."""

from __future__ import annotations

import unicodedata
from datetime import date, timedelta
from random import Random

NAMES = (
    *("Mustermann^Erika", "Müller^Jürgen", "Meier-Schönfeld^Anna Lena", "O'Brien^Siobhán^Mary", "van der Berg^Jan"),
    *("Łukaszewicz^Grażyna", "Dvořák^Jiří", "Sørensen^Åse", "Nguyễn^Thị Minh", "García Márquez^José", "Weiß^Uwe"),
    *("Иванова^Ольга^Петровна", "Παπαδόπουλος^Γιώργος", "כהן^רבקה", "محمود^فاطمة", "สมชาย^สุดา", "Yılmaz^Çiğdem"),
    *(
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "Kim^Minjun=김^민준=김^민준",
        "Wang^Xiaoming=王^小明",
        "ﾔﾏﾀﾞ^ﾊﾅｺ=鈴木^花子",
    ),
    *("Li^Wu", "Ng^Al", "Lang^Rosa", "Bauer^Ute", "Chest^Long", "DOE^JOHN^^DR", "Al-Haddad^Omar"),
)


def patient(random: Random) -> dict[str, object]:
    """Make a study row of a patient, as the lake has it."""
    digits = random.choice((5, 6, 8, 10))
    number = f"{random.randrange(10 ** (digits - 1), 10**digits)}"
    return {
        "PatientName": random.choice(NAMES),
        "PatientID": random.choice((number, f"00{number}", f"{number[:3]}-{number[3:]}", f"P{number}")),
        "PatientBirthDate": date(1925, 1, 1) + timedelta(days=random.randrange(35_000)),
        "AccessionNumber": f"{random.choice('AXR')}{random.randrange(10**6, 10**7)}",
        "StudyDate": date(2015, 1, 1) + timedelta(days=random.randrange(3000)),
        "ReferringPhysicianName": random.choice(("Hausmann^Petra^^Dr.", "Šimůnek^Karel", "Who^Peter")),
        "InstitutionName": random.choice(("St. Mary's Hospital", "Klinikum Süd-West", "東京病院", "UKE")),
        "StationName": random.choice(("CT-SCANNER-2", "MR01", "AXIOM7")),
        "StudyInstanceUID": f"1.2.840.113619.2.{random.randrange(10**9)}.{random.randrange(10**9)}",
        "SeriesInstanceUID": f"2.25.{random.getrandbits(120)}",
    }


def hidden(random: Random, row: dict[str, object]) -> tuple[str, bool]:
    """Choose an identifier and a form for it; and say whether it is one that is looked for among other bytes too."""
    keyword = random.choice([*row, "PatientName", "PatientName"])
    value = row[keyword]
    if isinstance(value, date):
        year, month, day = f"{value:%Y}", f"{value:%m}", f"{value:%d}"
        orders = ((year, month, day), (day, month, year), (month, day, year))
        return random.choice(("", "-", ".", "/")).join(random.choice(orders)), True
    text = str(value)
    match keyword:
        case "PatientName" | "ReferringPhysicianName":
            return _name(random, text)
        case "PatientID" | "AccessionNumber":
            bare = text.replace("-", "")
            spaced = f"{bare[:2]} {bare[2:4]}-{bare[4:]}"
            form = random.choice((text, bare, bare.lstrip("0"), bare.lower(), spaced))
            return form, form is not spaced
        case "InstitutionName" | "StationName":
            form = random.choice((text, text.upper(), text.lower(), text.replace("-", " "), _plain(text)))
            return form, form in (text, text.upper(), text.lower()) and len(text) >= 5
        case _:
            return random.choice((text, f"{text}.1")), True


def _name(random: Random, name: str) -> tuple[str, bool]:
    """Choose a form of a name: a part, or family and given name in either order."""
    group = random.choice(name.split("="))
    family, given = (component.split(" ")[0] for component in group.split("^")[:2])
    if "van" in family:
        family = "Berg"
    wholes = (f"{family} {given}", f"{given} {family}", f"{family}^{given}", f"{family}, {given}", f"{family}_{given}")
    part = random.choice((family, given, *family.replace("'", "-").split("-")[-1:]))
    alone = random.random() < 0.5
    alone = alone and (len(part) > 1 or part >= "㐀")
    text = part if alone else random.choice(wholes)
    text = random.choice((text, text.upper(), text.lower(), text.title(), _plain(text), _apart(text)))
    return text, any(_tells(word) >= 5 for word in ((part,) if alone else (family, given)))


def _tells(word: str) -> int:
    kana = sum("぀" <= letter <= "ヿ" or letter >= "ｦ" for letter in word)
    return len(word) + kana + 2 * sum("㐀" <= letter < "ｦ" for letter in word)


def _plain(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


def _apart(text: str) -> str:
    return text.lower().replace("ü", "ue").replace("ö", "oe").replace("ø", "oe").replace("å", "aa").replace("ß", "ss")
