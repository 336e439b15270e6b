"""A night of pacslake as a DAG of Airflow 3: sweep, say what is proven, export. pacslake_command.py lies beside it."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from pacslake_command import Again, Exit, Stopped, run

PATIENCE = {"retries": 6, "retry_delay": timedelta(minutes=30)}
"""For what is not here yet, and for a lake that has another owner."""


def done(*arguments: str, output: str | None = None) -> Exit:
    """Run a command; have Airflow try again what may go better, and nothing else."""
    try:
        return run(*arguments, output=output)
    except Again as later:
        raise AirflowException(str(later)) from None
    except Stopped as ended:
        raise AirflowFailException(str(ended)) from None


@dag(schedule="0 20 * * *", start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=1, tags=["pacs"])
def pacslake_night() -> None:
    """Crawl, then report, whatever came of it: the tables say which days are not proven."""

    @task(**PATIENCE)
    def sweep() -> str:
        """Ask for what is new, changed or gone. What stays incomplete is red, and the next night goes on with it."""
        code = done("sweep", "--lookback", "7", "--reconcile")
        if code is Exit.PARTIAL:
            raise AirflowException("some windows are not complete; the same command goes on with them")
        return code.name

    @task(trigger_rule="all_done", **PATIENCE)
    def coverage() -> str:
        """Write which days are proven complete; give OK, CAPPED or PARTIAL."""
        return done("coverage", "--format", "csv", output="coverage.csv").name

    @task(**PATIENCE)
    def export() -> None:
        """Write the months' counts; coverage.csv beside them says where they may be too low."""
        done("export", "study_volume", "--output", "volumes.csv", "--overwrite")

    sweep() >> coverage() >> export()


pacslake_night()
