"""A night of pacslake as assets of Dagster: the lake, a check, an export. pacslake_command.py lies beside it."""

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetExecutionContext,
    Definitions,
    Failure,
    MaterializeResult,
    RetryRequested,
    ScheduleDefinition,
    asset,
    asset_check,
    define_asset_job,
)
from pacslake_command import Again, Exit, Stopped, run

TRIES = 6
HALF_AN_HOUR = 1800.0


def done(*arguments: str, output: str | None = None) -> Exit:
    """Run a command; have Dagster try again what may go better, and nothing else."""
    try:
        return run(*arguments, output=output)
    except Again as later:
        raise RetryRequested(max_retries=TRIES, seconds_to_wait=HALF_AN_HOUR) from later
    except Stopped as ended:
        raise Failure(str(ended), allow_retries=False) from None


@asset
def lake(context: AssetExecutionContext) -> MaterializeResult:
    """What the PACS hold, as tables. After the last try it stands as it is; the check below says what is missing."""
    code = done("sweep", "--lookback", "7", "--reconcile")
    if code is Exit.PARTIAL and context.retry_number < TRIES:
        raise RetryRequested(max_retries=TRIES, seconds_to_wait=HALF_AN_HOUR)
    return MaterializeResult(metadata={"ended": code.name})


@asset_check(asset=lake)
def every_day_is_proven() -> AssetCheckResult:
    """Whether any study may be missing. Capped answers are a warning: trying again would not help."""
    code = done("coverage", "--format", "csv", output="coverage.csv")
    severity = AssetCheckSeverity.WARN if code is Exit.CAPPED else AssetCheckSeverity.ERROR
    return AssetCheckResult(passed=code is Exit.OK, severity=severity, metadata={"ended": code.name})


@asset(deps=[lake])
def study_volume() -> MaterializeResult:
    """Write the months' counts; coverage.csv beside them says where they may be too low."""
    done("export", "study_volume", "--output", "volumes.csv", "--overwrite")
    return MaterializeResult(metadata={"file": "volumes.csv"})


night = define_asset_job("night")
definitions = Definitions(
    assets=[lake, study_volume],
    asset_checks=[every_day_is_proven],
    jobs=[night],
    schedules=[ScheduleDefinition(job=night, cron_schedule="0 20 * * *")],
)
