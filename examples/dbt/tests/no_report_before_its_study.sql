-- Studies whose first report is older than they are: a clock is wrong, or the report is of another study.
{{ config(severity = 'warn') }}
select StudyInstanceUID, StudyDate, report_minutes
from {{ source('lake', 'turnaround') }}
where report_minutes < 0
