-- How long a kind of study takes to its first report. Studies without one in the PACS are counted, not guessed.
select pacs, coalesce(StudyDescription, '') as kind, date_trunc('quarter', StudyDate)::date as quarter,
    count(*) as studies, count(report_minutes) as reports, median(report_minutes) as median_minutes,
    quantile_cont(report_minutes, 0.9) as ninetieth_minutes
from {{ source('lake', 'turnaround') }}
group by all
