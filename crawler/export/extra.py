"""The libraries of the extra `images`, found when they are wanted: most who install pacslake make no pictures.

Touches: disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from crawler.errors import UserError
from crawler.retrieve.unpacking import require_modest


def extra(library: str, wanted_for: str = "images") -> Any:
    """Import one of them. UserError, saying what to type, where it is not installed."""
    try:
        return import_module(library)
    except ImportError:
        name = library.partition(".")[0]
        raise UserError(f"{wanted_for} need {name}; type: pip install 'pacslake[images]'") from None


def read_image(files: Sequence[Path]) -> Any:
    """Read files, in this order, as one SimpleITK image. UserError, without a name, where they are none or too much."""
    sitk = extra("SimpleITK")
    require_modest(files)
    warned = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.GlobalWarningDisplayOff()  # warnings quote values of the files
    try:
        return sitk.ReadImage([str(file) for file in files] if len(files) > 1 else str(files[0]))
    except RuntimeError:
        raise UserError("SimpleITK cannot read this series: it is no image, or its encoding is not known") from None
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(warned)
