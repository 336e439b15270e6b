"""The peer: pynetdicom's own C-FIND loop, as its documentation shows it. Prints `rows seconds` of the loop alone.

Usage: pynetdicom_find.py PORT AE_TITLE study DATE-RANGE KEYWORD ...
       pynetdicom_find.py PORT AE_TITLE series UIDS-FILE KEYWORD ...   (one query per StudyInstanceUID in the file)
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as StudyRootFind


def main(port: str, ae_title: str, level: str, what: str, *keywords: str) -> None:
    ae = AE("BENCH")
    ae.add_requested_context(StudyRootFind)
    assoc = ae.associate("127.0.0.1", int(port), ae_title=ae_title)
    query = Dataset()
    query.QueryRetrieveLevel = level.upper()
    for keyword in keywords:
        setattr(query, keyword, None)
    if level == "study":
        questions = [("StudyDate", what)]
    else:
        questions = [("StudyInstanceUID", uid) for uid in Path(what).read_text().split()]
    rows, began = 0, time.perf_counter()
    for keyword, value in questions:
        setattr(query, keyword, value)
        rows += sum(1 for status, identifier in assoc.send_c_find(query, StudyRootFind) if identifier is not None)
    print(rows, time.perf_counter() - began)
    assoc.release()


main(*sys.argv[1:])
