"""SOP classes of query and retrieve by information model, and the other way round (PS3.4 C.6, K.6). Pure."""

from __future__ import annotations

from crawler.model import Model

FIND_CLASSES = {
    Model.PATIENT_ROOT: "1.2.840.10008.5.1.4.1.2.1.1",
    Model.STUDY_ROOT: "1.2.840.10008.5.1.4.1.2.2.1",
    Model.PATIENT_STUDY_ONLY: "1.2.840.10008.5.1.4.1.2.3.1",
    Model.WORKLIST: "1.2.840.10008.5.1.4.31",
}
MOVE_CLASSES = {
    Model.PATIENT_ROOT: "1.2.840.10008.5.1.4.1.2.1.2",
    Model.STUDY_ROOT: "1.2.840.10008.5.1.4.1.2.2.2",
    Model.PATIENT_STUDY_ONLY: "1.2.840.10008.5.1.4.1.2.3.2",
}
GET_CLASSES = {
    Model.PATIENT_ROOT: "1.2.840.10008.5.1.4.1.2.1.3",
    Model.STUDY_ROOT: "1.2.840.10008.5.1.4.1.2.2.3",
    Model.PATIENT_STUDY_ONLY: "1.2.840.10008.5.1.4.1.2.3.3",
}
FIND_MODELS, MOVE_MODELS, GET_MODELS = (
    {uid: model for model, uid in classes.items()} for classes in (FIND_CLASSES, MOVE_CLASSES, GET_CLASSES)
)
