"""Family and given name of person names (PS3.5 6.2.1), cut out of a whole column at once. Pure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from crawler.decode.column import Bytes, Places
from crawler.decode.text import values_of


def family_and_given(names: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Take the first two components of the first (alphabetic) group of each name; empty text where there is none."""
    name = values_of(names)
    group_ends = np.minimum(_first(name.data, b"=", name.begins), name.ends)
    family_ends = np.minimum(_first(name.data, b"^", name.begins), group_ends)
    given_begins = np.minimum(family_ends + 1, group_ends)
    given_ends = np.minimum(_first(name.data, b"^", given_begins), group_ends)
    family = replace(name, ends=family_ends)
    given = replace(name, begins=given_begins, ends=given_ends)
    return family.gather(pa.string()), given.gather(pa.string())


def _first(data: Bytes, delimiter: bytes, begins: Places) -> Places:
    """Say where the first `delimiter` at or after each of `begins` stands, or the end of data."""
    found = np.append(np.flatnonzero(data == ord(delimiter)), len(data)).astype(np.int32)
    return found[np.searchsorted(found, begins)]
