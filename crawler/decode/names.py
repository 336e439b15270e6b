"""Family and given name of person names (PS3.5 6.2.1), cut out of a whole column at once. Pure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from crawler.decode.column import Bytes, Column, Places
from crawler.decode.text import values_of


def family_and_given(names: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Take the first two components of the first (alphabetic) group of each name; empty text where there is none."""
    name = values_of(names)
    group_ends = np.minimum(_first(name.data, b"=", name.begins), name.ends)
    family_ends = np.minimum(_first(name.data, b"^", name.begins), group_ends)
    given_begins = np.minimum(family_ends + 1, group_ends)
    given_ends = np.minimum(_first(name.data, b"^", given_begins), group_ends)
    family = Column(name.data, name.begins, family_ends, name.present)
    given = Column(name.data, given_begins, given_ends, name.present)
    return family.gather(pa.string()), given.gather(pa.string())


def _first(data: Bytes, delimiter: bytes, begins: Places) -> Places:
    """Say where the first `delimiter` at or after each of `begins` stands, or the end of data."""
    found = np.append(np.flatnonzero(data == ord(delimiter)), len(data)).astype(np.int32)
    return found[np.searchsorted(found, begins)]
