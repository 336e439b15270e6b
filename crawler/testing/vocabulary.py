"""What the synthetic hospital has: exams and their series, scanners, and names of people. Data only. Pure.

Names of people, sites and stations are invented; makers and models are those seen in real archives. Chances are in
percent, shares are relative, `low-high` is the number of images of a series.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class SeriesKind:
    """One kind of series within an exam; `chance` of 1 or less says how often it is made."""

    modality: str
    description: str
    images_low: int
    images_high: int
    chance: float


@dataclass(frozen=True, slots=True)
class Exam:
    """One kind of study. `acute` exams happen at night and at weekends too."""

    modality: str
    body_part: str
    description: str
    share: float
    acute: bool
    series: tuple[SeriesKind, ...]


@dataclass(frozen=True, slots=True)
class Scanner:
    """One piece of equipment; `modalities` are the exams made on it."""

    modalities: tuple[str, ...]
    manufacturer: str
    model: str
    station: str
    institution: str


_SERIES = re.compile(r"(?:(?P<modality>[A-Z]{2}) )?\[(?P<name>.+)\] (?P<low>\d+)-(?P<high>\d+)(?: (?P<chance>\d+)%)?")

_CT_END = "; [Coronal 3.0] 60-140 70%; [Sagittal 3.0] 60-120 55%; SR [Dose Report] 1-1 80%; SC [Screen Save] 1-3 15%"
_MR_END = "; [DWI b0-1000] 40-120 85%; [ADC] 20-60 80%; [T1 ax KM] 24-60 55%; [Subtraktion] 24-60 12%"

_EXAMS: tuple[tuple[str, str, str, float, bool, str], ...] = (
    ("CT", "CHEST", "CT Thorax", 3.2, True,
     "[Topogram] 1-2; [Thorax 5.0] 50-90; [Lunge 1.0] 220-420 90%; [MIP 8.0] 40-70 60%" + _CT_END),
    ("CT", "ABDOMEN", "CT Abdomen mit KM", 4.6, True,
     "[Topogram] 1-2; [Premonitoring] 1-1 80%; [Monitoring] 5-20 80%; [Abdomen art 1.5] 180-320 60%; "
     "[Abdomen pv 1.5] 240-480; [Abdomen pv 5.0] 60-110" + _CT_END),
    ("CT", "HEAD", "CT Schädel nativ", 5.0, True,
     "[Topogram] 1-1; [Schädel 4.0] 34-48; [Schädel 1.0] 140-200 90%; [Knochen 1.0] 140-200 40%" + _CT_END),
    ("CT", "CSPINE", "CT HWS", 1.6, True,
     "[Topogram] 1-2; [HWS 1.0 Knochen] 160-300; [HWS 2.0 Weichteil] 80-150 60%" + _CT_END),
    ("CT", "CHEST", "CT Pulmonary Angiogram", 2.0, True,
     "[Scout] 2-2; [Test Bolus] 8-24; [CTPA 1.0] 260-460; [MIP ax 10.0] 30-60 70%" + _CT_END),
    ("CT", "EXTREMITY", "CT Handgelenk", 1.0, False, "[Topogram] 1-2; [Hand 0.6 Knochen] 120-260" + _CT_END),
    ("MR", "HEAD", "MRT Schädel", 4.0, False,
     "[Localizer] 3-9; [T2 tse ax] 24-40; [FLAIR ax] 24-40; [T1 mprage sag] 160-192 90%; [SWI] 60-90 70%; "
     "[TOF] 100-180 40%; [T1 mprage KM] 160-192 50%" + _MR_END),
    ("MR", "KNEE", "MR Knee left", 2.4, False,
     "[Localizer] 3-15; [PD fs cor] 24-32; [PD fs sag] 24-36; [PD fs ax] 28-36; [T1 cor] 24-30 90%; "
     "[T2 sag] 20-30 30%"),
    ("MR", "LSPINE", "MR LWS", 3.0, False,
     "[Localizer] 3-12; [T2 tse sag] 13-19; [T1 tse sag] 13-19; [T2 tse ax] 20-40; [TIRM cor] 18-26 60%; "
     "[T1 fs KM sag] 13-19 25%"),
    ("MR", "PROSTATE", "MR Prostate", 0.8, False,
     "[Localizer] 3-9; [T2 ax] 24-34; [T2 sag] 20-28; [T2 cor] 20-28; [DCE dyn] 400-900 60%; [DWI b2000] 24-34 90%"
     + _MR_END),
    ("MR", "ABDOMEN", "MRCP", 1.0, False,
     "[Localizer] 15-30; [HASTE cor] 24-36; [T2 fs ax] 30-44; [MRCP 3D] 60-110; [MIP radial] 12-24 70%; "
     "[VIBE nativ] 60-96 70%" + _MR_END),
    ("MR", "HEART", "MR Cardiac", 0.7, False,
     "[Localizer] 9-30; [Cine 4ch] 25-30; [Cine 2ch] 25-30; [Cine SA] 200-350; [T1 map] 3-24; [LGE SA] 8-14; "
     "[LGE 4ch] 1-3 80%; [Perfusion] 120-240 60%" + _MR_END),
    ("DX", "CHEST", "Thorax p.a. und seitlich", 13.0, True, "[Thorax p.a.] 1-1; [Thorax lat.] 1-1 70%"),
    ("DX", "HAND", "Hand links 2 Ebenen", 4.0, True, "[Hand a.p.] 1-1; [Hand schräg] 1-1 90%"),
    ("DX", "ANKLE", "Ankle right 2 views", 4.0, True, "[Ankle ap] 1-1; [Ankle lat] 1-1 95%; [Mortise] 1-1 30%"),
    ("DX", "PELVIS", "Beckenübersicht", 3.0, True, "[Becken a.p.] 1-1; [Hüfte axial] 1-1 50%"),
    ("CR", "CHEST", "Chest bedside", 9.0, True, "[AP supine] 1-1; [AP repeat] 1-1 6%"),
    ("CR", "ABDOMEN", "Abdomenübersicht", 2.0, True, "[Abdomen LSL] 1-1; [Abdomen a.p.] 1-1 50%"),
    ("US", "ABDOMEN", "US Abdomen", 9.0, True, "[Abdomen] 8-40; SR [Measurements] 1-1 35%; [Doppler] 2-14 25%"),
    ("US", "NECK", "US Schilddrüse", 3.0, False, "[Schilddrüse] 6-20; SR [Measurements] 1-1 30%"),
    ("US", "HEART", "Echo TTE", 3.0, True, "[TTE] 30-90; SR [Echo Report] 1-1 80%"),
    ("MG", "BREAST", "Mammographie beidseits", 3.6, False,
     "[R CC] 1-1; [L CC] 1-1; [R MLO] 1-1; [L MLO] 1-1; [Tomosynthese] 1-4 25%; SR [CAD] 1-1 40%"),
    ("MG", "BREAST", "Mammography left", 0.7, False, "[L CC] 1-1; [L MLO] 1-1; [L ML Spot] 1-1 40%"),
    ("NM", "WHOLEBODY", "Skelettszintigraphie", 1.1, False, "[WB ant/post] 1-2; [Static] 1-4 60%; [SPECT] 1-3 40%"),
    ("NM", "THYROID", "Schilddrüsenszintigraphie", 0.9, False, "[Thyroid Tc99m] 1-2; SC [Uptake] 1-1 80%"),
    ("PT", "WHOLEBODY", "PET/CT FDG", 1.3, False,
     "CT [Topogram] 1-1; CT [CT AC 3.0] 260-380; [PET AC] 260-380; [PET NAC] 260-380 90%; SC [Fusion] 40-90 80%; "
     "[MIP rot] 24-36 70%; CT [Lunge 1.0] 280-400 60%; SR [Dose Report] 1-1 70%"),
    ("XA", "HEART", "Coronary Angiography", 1.7, True,
     "[LCA 1] 1-2; [LCA 2] 1-2; [LCA 3] 1-2 95%; [LCA 4] 1-2 85%; [RCA 1] 1-2; [RCA 2] 1-2 80%; [Ventricle] 1-1 40%; "
     "[PCI 1] 1-2 55%; [PCI 2] 1-2 50%; [PCI 3] 1-2 45%; [PCI final] 1-2 50%; SR [Dose Report] 1-1 90%"),
    ("XA", "LEG", "DSA Becken-Bein", 0.9, False,
     "[Becken] 1-3; [Oberschenkel] 1-3; [Knie] 1-3; [Unterschenkel] 1-3; [PTA] 1-6 60%; [Kontrolle] 1-3 60%"),
    ("RF", "ESOPHAGUS", "Ösophagus Breischluck", 1.2, False, "[Schluckakt] 1-8; [Übersicht] 1-2 70%; [Magen] 1-4 40%"),
    ("RF", "COLON", "Fluoroscopy Colon", 0.8, False, "[Fluoro] 1-6; [Spot] 2-9; SR [Dose Report] 1-1 60%"),
)  # fmt: skip

SCANNERS = (
    Scanner(("CT",), "SIEMENS", "SOMATOM Force", "CT01", "Klinikum Nord"),
    Scanner(("CT",), "SIEMENS", "SOMATOM go.Top", "CT02", "Klinikum Nord"),
    Scanner(("CT",), "GE MEDICAL SYSTEMS", "Revolution EVO", "CTER", "Seaside General Hospital"),
    Scanner(("CT",), "Canon Medical Systems", "Aquilion ONE", "AQ1", "Seaside General Hospital"),
    Scanner(("MR",), "SIEMENS", "MAGNETOM Vida", "MR3T1", "Klinikum Nord"),
    Scanner(("MR",), "SIEMENS", "Aera", "MR15A", "Klinikum Nord"),
    Scanner(("MR",), "Philips Healthcare", "Ingenia", "INGENIA2", "Seaside General Hospital"),
    Scanner(("DX",), "SIEMENS", "Ysio Max", "DX01", "Klinikum Nord"),
    Scanner(("DX",), "Philips Medical Systems", "DigitalDiagnost", "DXER", "Seaside General Hospital"),
    Scanner(("DX",), "Agfa", "DX-D 600", "DXD6", "Praxis am Markt"),
    Scanner(("CR",), "FUJIFILM Corporation", "FDR Go", "ICU_CR", "Klinikum Nord"),
    Scanner(("CR",), "Agfa", "CR 30-X", "CR30", "Praxis am Markt"),
    Scanner(("US",), "GE Healthcare", "LOGIQ E10", "LOGIQ-1", "Klinikum Nord"),
    Scanner(("US",), "GE Vingmed Ultrasound", "Vivid E95", "ECHOLAB", "Klinikum Nord"),
    Scanner(("US",), "Philips Medical Systems", "EPIQ 7G", "EPIQ7", "Seaside General Hospital"),
    Scanner(("MG",), "HOLOGIC, Inc.", "Selenia Dimensions", "MG1", "Klinikum Nord"),
    Scanner(("MG",), "SIEMENS", "Mammomat Inspiration", "MG-MARKT", "Praxis am Markt"),
    Scanner(("NM",), "GE MEDICAL SYSTEMS", "Discovery NM/CT 670", "NM670", "Klinikum Nord"),
    Scanner(("PT",), "SIEMENS", "Biograph mCT", "PETCT", "Klinikum Nord"),
    Scanner(("XA",), "Philips Medical Systems", "AlluraXper", "CATHLAB1", "Klinikum Nord"),
    Scanner(("XA",), "SIEMENS", "AXIOM-Artis", "ARTIS2", "Seaside General Hospital"),
    Scanner(("RF",), "SIEMENS", "Luminos dRF", "RF1", "Klinikum Nord"),
)

_FAMILY_NAMES = """
Weber Schmidt Fischer Meyer Wagner Becker Hoffmann Koch Richter Klein Wolf Neumann Schwarz Braun Zimmermann
Hartmann Lange Werner Krause Lehmann Smith Johnson Brown Taylor Wilson Evans Thomas Roberts Walker Wright Hughes
Green Hall Clarke Rossi Ferrari Romano Ricci Greco Garcia Martinez Lopez Moreno Novak Horvat Kowalski Wisniewski
Dubois Laurent Moreau Bernard Jansen Bakker Visser Hansen Nielsen Olsen Berg Nguyen Tran Kim Park Chen Wang
Yilmaz Kaya Demir O'Connor McDonald Bergen-Vogt Müller Schäfer Köhler Krüger Groß Jäger Günther Sørensen Åkesson
Núñez Lefèvre Gonçalves Łukasz Dvořák Çelik Παπαδόπουλος Иванова Кузнецов 山田 김
"""
_GIVEN_NAMES_F = """
Anna Maria Sophie Emma Laura Julia Lena Katharina Helga Ursula Ingrid Monika Sarah Emily Grace Olivia Alice
Giulia Chiara Carmen Lucia Eva Zofia Camille Fatma Linh Jörun Zoë Françoise Éloïse Agnès Θάλεια Ольга 花子
"""
_GIVEN_NAMES_M = """
Hans Peter Karl Thomas Michael Andreas Stefan Wolfgang Jan Lukas Paul Max John David James Robert William Marco
Luca Antonio Carlos Jose Piotr Pierre Mehmet Minh Lars Jürgen Günter André José René Νίκος Дмитрий 太郎
"""
_PHYSICIANS = """
Albrecht^Jutta Brandt^Uwe Carlsen^Mette Ebert^Frank Frank^Silke Gruber^Leo Hauser^Nina Ionescu^Radu Jung^Bernd
Keller^Ines Lindner^Ralf Maurer^Petra Noll^Timo Otto^Birgit Peters^Gerd Quint^Alma Reuter^Dirk Sauer^Elke
Thiel^Marc Ulrich^Heike Vogt^Jens Weiss^Karin Bauer^Tom Zeller^Ruth Köster^Jörg Löwe^Käthe
"""

FAMILY_NAMES = tuple(_FAMILY_NAMES.split())
GIVEN_NAMES_F = tuple(_GIVEN_NAMES_F.split())
GIVEN_NAMES_M = tuple(_GIVEN_NAMES_M.split())
PHYSICIANS = tuple(f"{name}^^Dr." for name in _PHYSICIANS.split())


@cache
def exams() -> tuple[Exam, ...]:
    """Give every kind of exam with its series."""
    return tuple(
        Exam(modality, part, description, share, acute, tuple(_kind(text, modality) for text in series.split("; ")))
        for modality, part, description, share, acute, series in _EXAMS
    )


def _kind(text: str, modality: str) -> SeriesKind:
    found = _SERIES.fullmatch(text)
    if found is None:
        raise ValueError(f"not a kind of series: {text}")
    chance = int(found["chance"] or 100) / 100
    return SeriesKind(found["modality"] or modality, found["name"], int(found["low"]), int(found["high"]), chance)
