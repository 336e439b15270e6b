"""Each rule of what leaves without a look, by the object that it is there for."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag

from crawler.deid.pixels import PixelRules, Verdict, judge, may_show_face

RULES = PixelRules()
OF = "1.2.840.10008.5.1.4.1.1."


def image(modality: str = "CT", sop_class: str = "2", **values: Any) -> Dataset:
    """Make an image as a scanner sends it."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = values.pop("syntax", "1.2.840.10008.1.2.1")
    plain = {
        "SOPClassUID": OF + sop_class,
        "Modality": modality,
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelData": b"\0\0",
    }
    for keyword, value in (plain | values).items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


NM = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]

RELEASED = [
    image(),
    image(BurnedInAnnotation="NO"),
    image(ImageType=["ORIGINAL ", "PRIMARY", "AXIAL", "CT_SOM5 SPI"]),
    image("MR", "4", ImageType=["DERIVED", "PRIMARY", "DIXON", "WATER"]),
    image("MR", "4.1", ImageType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]),
    image("PT", "128", ImageType=["ORIGINAL", "PRIMARY"]),
    image("NM", "20", ImageType=NM),
    image(ImageType=["DERIVED", "SECONDARY", "MPR"], BurnedInAnnotation="NO"),
    image(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], BurnedInAnnotation="NO"),
    image("CR", "1", BurnedInAnnotation="NO"),
    image("MG", "1.2", ImageType=["DERIVED", "PRIMARY"], BurnedInAnnotation="NO"),
]


@pytest.mark.parametrize("dataset", RELEASED)
def test_what_scanners_write_no_text_into_is_released(dataset: Dataset) -> None:
    assert judge(dataset, RULES) is None


WITHOUT_WORD = "BurnedInAnnotation is not NO, and "
KEPT = [
    (image(BurnedInAnnotation="YES"), "BurnedInAnnotation is YES."),
    (image(BurnedInAnnotation=["NO", "YES"]), "BurnedInAnnotation is YES."),
    (image(BurnedInAnnotation="MAYBE", ImageType=None), WITHOUT_WORD + "ImageType does not begin with"),
    (image(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), WITHOUT_WORD + "ImageType does not begin with"),
    (image(ImageType=["DERIVED", "SECONDARY", "MPR"]), WITHOUT_WORD + "ImageType does not begin with"),
    (image(ImageType=["ORIGINAL", "PRIMARY", "AXIALLY"]), WITHOUT_WORD + "ImageType does not begin with"),
    (image("CR", "1"), WITHOUT_WORD + "Modality is CR, of which the recipe allows no image without a look."),
    (image("MEIER ANNA", "1"), WITHOUT_WORD + "Modality is another, of which the recipe allows"),
    (image("CT", "1"), WITHOUT_WORD + "SOPClassUID is none in which scanners of Modality CT send images."),
    (image("CT", "7"), "SOPClassUID is Secondary Capture Image Storage."),
    (image("OT", "7.4", BurnedInAnnotation="NO"), "BurnedInAnnotation is NO, which such images are not believed."),
    (image("US", "6.1", BurnedInAnnotation="NO"), "SOPClassUID is Ultrasound Image Storage; BurnedInAnnotation is NO"),
    (image("US", "2"), "Modality is US."),
    (image("XC", "77.1.4", BurnedInAnnotation="NO"), "SOPClassUID is VL Photographic Image Storage; "),
    (image(ConversionType="WSD"), "ConversionType has a value, as in secondary captures."),
    (image(DateOfSecondaryCapture="20240101"), "DateOfSecondaryCapture has a value, as in secondary captures."),
    (image(ImageType=["ORIGINAL", "PRIMARY", "AXIAL", "SCREEN SAVE"]), "ImageType has SCREEN."),
    (image(ImageType=["DERIVED", "SECONDARY", "DOSE_INFO"], BurnedInAnnotation="NO"), "ImageType has DOSE;"),
    (image(SamplesPerPixel=3, PhotometricInterpretation="RGB"), "SamplesPerPixel is not 1: scanners of this kind"),
    (image(PhotometricInterpretation="PALETTE COLOR"), "PhotometricInterpretation is not MONOCHROME1 or MONOCHROME2"),
    (image(syntax="1.2.840.10008.1.2.4.50", sop_class="99.9"), "SOPClassUID is unknown to the standard."),
    (image(SOPClassUID="1.3.46.670589.11.0.0.12.2"), "SOPClassUID is unknown to the standard."),
    (image(SOPClassUID=None), "SOPClassUID is unknown to the standard."),
]


@pytest.mark.parametrize(("dataset", "reason"), KEPT)
def test_what_may_show_a_name_is_kept_back(dataset: Dataset, reason: str) -> None:
    verdict = judge(dataset, RULES)
    assert verdict is not None
    assert verdict.kind == "quarantined"
    assert reason in verdict.reason


@pytest.mark.parametrize(("position", "bits"), [(12, 16), (0, 16), (12, 1)])
def test_an_overlay_in_the_pixels_is_kept_back(position: int, bits: int) -> None:
    dataset = image(BurnedInAnnotation="NO")
    dataset.add_new(0x60020100, "US", bits)
    dataset.add_new(0x60020102, "US", position)
    assert judge(dataset, RULES) == Verdict(
        "quarantined", "OverlayBitPosition says that an overlay lies in the pixels."
    )


def test_an_overlay_of_its_own_is_left_to_the_engine() -> None:
    dataset = image()
    dataset.add_new(0x60000100, "US", 1)
    dataset.add_new(0x60000102, "US", 0)
    dataset.add_new(0x60003000, "OW", b"\0\0")
    assert judge(dataset, RULES) is None


EXCLUDED = [
    ("104.1", "documents", "SOPClassUID is Encapsulated PDF Storage, and the recipe does not include documents."),
    ("88.11", "reports", "SOPClassUID is Basic Text SR Storage, and the recipe does not include reports."),
    ("88.59", "key_objects", "SOPClassUID is Key Object Selection Document Storage, and"),
    ("11.1", "presentation_states", "SOPClassUID is Grayscale Softcopy Presentation State Storage, and"),
    ("9.1.1", "waveforms", "SOPClassUID is 12-lead ECG Waveform Storage, and"),
    ("66.4", "segmentations", "SOPClassUID is Segmentation Storage, and"),
    ("66.1", "registrations", "SOPClassUID is Spatial Registration Storage, and"),
    ("481.3", "radiotherapy", "SOPClassUID is RT Structure Set Storage, and"),
    ("66", "other", "SOPClassUID is Raw Data Storage, and"),
    ("4.2", "other", "SOPClassUID is MR Spectroscopy Storage, and"),
]


@pytest.mark.parametrize(("sop_class", "kind", "reason"), EXCLUDED)
def test_what_is_no_image_stays_out_until_a_recipe_includes_it(sop_class: str, kind: str, reason: str) -> None:
    dataset = image("OT", sop_class, PixelData=None)
    verdict = judge(dataset, RULES)
    assert verdict is not None
    assert verdict.kind == "excluded"
    assert verdict.reason.startswith(reason)
    included = judge(dataset, PixelRules.model_validate({"include": [kind]}))
    assert included == (
        Verdict("quarantined", "SOPClassUID is Encapsulated PDF Storage: nothing takes names out of documents.")
        if kind == "documents"
        else None
    )


def test_a_document_in_an_image_is_a_document() -> None:
    verdict = judge(image(EncapsulatedDocument=b"%PDF"), RULES)
    assert verdict is not None
    assert verdict.kind == "excluded"


def test_an_unknown_object_without_pixels_stays_out() -> None:
    verdict = judge(image(SOPClassUID="1.2.3", PixelData=None), RULES)
    assert verdict == Verdict(
        "excluded", "SOPClassUID is unknown to the standard, and the recipe does not include other."
    )


def test_films_and_pixels_elsewhere_stay_out() -> None:
    film = image("XA", "12.1", syntax="1.2.840.10008.1.2.4.102", BurnedInAnnotation="NO")
    verdict = judge(film, RULES)
    assert verdict is not None
    assert verdict.kind == "excluded"
    assert verdict.reason.endswith("High Profile / Level 4.1, and the recipe does not include video.")
    included = judge(film, PixelRules.model_validate({"include": ["video"]}))
    assert included is not None
    assert included.kind == "quarantined"
    referenced = judge(image(syntax="1.2.840.10008.1.2.4.94"), RULES)
    assert referenced == Verdict("excluded", "TransferSyntaxUID is JPIP Referenced: the pixels are not in the file.")


@pytest.mark.parametrize("dataset", [image("US", "6.1"), image("OT", "7"), image("XC", "77.1.4")])
def test_a_recipe_may_believe_them(dataset: Dataset) -> None:
    believing = PixelRules(believe_burned_in_no=True)
    assert judge(dataset, believing) is not None
    dataset.BurnedInAnnotation = "NO"
    assert judge(dataset, believing) is None
    dataset.BurnedInAnnotation = "YES"
    assert judge(dataset, believing) is not None


def test_a_recipe_may_allow_more() -> None:
    rules = PixelRules.model_validate({"allow": {"CR": ["DERIVED\\PRIMARY"]}})
    assert judge(image("CR", "1", ImageType=["DERIVED", "PRIMARY"]), rules) is None
    assert judge(image("CR", "1", ImageType=["ORIGINAL", "PRIMARY"]), rules) is not None
    assert judge(image(), rules) is not None


@pytest.mark.parametrize(
    "wrong", [{"allow": {"ct": []}}, {"include": ["pdf"]}, {"believe_burned_in_no": 1}, {"alow": {}}, {"allow": "CT"}]
)
def test_what_is_no_rule_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PixelRules.model_validate(wrong)


def test_what_cannot_be_read_is_kept_back() -> None:
    dataset = image()
    tag = Tag("SamplesPerPixel")
    dataset[tag] = RawDataElement(tag, "US", 3, b"abc", 0, False, True)
    assert judge(dataset, RULES) == Verdict("quarantined", "SamplesPerPixel cannot be read.")


def test_a_face_is_told_and_keeps_nothing_back() -> None:
    dataset = image("MR", "4", RecognizableVisualFeatures="YES")
    assert may_show_face(dataset)
    assert judge(dataset, RULES) is None
    assert not may_show_face(image("MR", "4"))
