"""What is offered in a C-GET: what is asked for before all else, and never more than an association can hold."""

from __future__ import annotations

import pytest
from pynetdicom import AllStoragePresentationContexts

from crawler.retrieve.offer import MOST_CONTEXTS, Offer

CT, MR, SC, SR = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "4", "7", "88.33"))
STORAGE = {str(context.abstract_syntax) for context in AllStoragePresentationContexts}
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"


def test_what_is_asked_for_comes_first_and_each_compression_in_a_context_of_its_own() -> None:
    offered = Offer.of([CT], ["SR"]).contexts
    assert offered[0][0] == CT
    assert len([uid for uid, _ in offered if uid == CT]) == 11
    assert {len(syntaxes) for uid, syntaxes in offered if uid == CT} == {1, 2}
    assert [syntaxes for uid, syntaxes in offered if uid == SR] == [offered[0][1]]


@pytest.mark.parametrize("sop_classes", [[], [CT], sorted(STORAGE)])
@pytest.mark.parametrize("modalities", [[], ["CT"], ["CT", "MR", "US", "XA", "MG", "NOSUCH"]])
def test_an_association_can_hold_it(sop_classes: list[str], modalities: list[str]) -> None:
    contexts = Offer.of(sop_classes, modalities).contexts
    assert len(contexts) == len(set(contexts)) == MOST_CONTEXTS
    assert {uid for uid, _ in contexts} <= STORAGE


def test_the_usual_ones_are_offered_uncompressed_and_images_compressed() -> None:
    contexts = Offer.of().contexts
    for uid in (CT, MR, SC, SR):
        assert (uid, ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")) in contexts
    assert (CT, (JPEG_LOSSLESS,)) in contexts
    assert (SR, (JPEG_LOSSLESS,)) not in contexts


def test_every_modality_brings_secondary_captures() -> None:
    assert [uid for uid, _ in Offer.of(modalities=["NM"]).contexts[:2]] == ["1.2.840.10008.5.1.4.1.1.20", SC]


def test_what_is_no_uid_is_not_offered() -> None:
    """A PACS named it in an answer: encoding it would end the retrieval."""
    assert Offer.of(["1.2.\xfc", "1" * 70, "../x", "", CT]) == Offer.of([CT])
