"""Jobs as several services share them: what concerns PACS is a job for each, so that each has one owner. Pure."""

from __future__ import annotations

from crawler.errors import UserError
from crawler.settings import JobSettings, Settings

AT_ONCE = ("sweep", "reconcile")
"""What is done at all PACS at once, by one process: a lake has one writer."""
PER_PACS = ("sweep", "reconcile", "check")
LONGEST = 128
"""Characters of a name in the queue."""
LAKE = "(lake)"
"""What bears no PACS's name: upkeep, retrievals, what people asked for."""


def shared(settings: Settings) -> Settings:
    """Give settings whose jobs are `nightly:main` for the job nightly at the PACS main. UserError for endless names."""
    units: dict[str, JobSettings] = {}
    for name, job in settings.jobs.items():
        if job.kind not in PER_PACS:
            units[name] = job
            continue
        for pacs in job.pacs or settings.pacs:
            units[f"{name}:{pacs}"] = job.model_copy(update={"pacs": (pacs,)})
    for name in units:
        if len(name) > LONGEST:
            raise UserError(f"jobs.{name}: with the name of its PACS it is longer than {LONGEST} characters")
    return settings.model_copy(update={"jobs": units})


def base_of(name: str, job: JobSettings) -> str:
    """Give the name of the job, of which this is that at one PACS."""
    return name.removesuffix(f":{job.pacs[0]}") if job.pacs else name


def alike(settings: Settings, name: str) -> list[str]:
    """Name the jobs of `shared` settings that are done at once with one: the same at all PACS, where it sweeps."""
    job = settings.jobs.get(name)
    if job is None or job.kind not in AT_ONCE:
        return []
    base = base_of(name, job)
    return [other for other, one in settings.jobs.items() if one.kind == job.kind and base_of(other, one) == base]


def lock_of(settings: Settings, name: str) -> str:
    """Say with what a job is not to be done at once: its PACS, or whatever else concerns the lake as a whole."""
    job = settings.jobs.get(name)
    return job.pacs[0] if job is not None and job.kind in PER_PACS else LAKE
