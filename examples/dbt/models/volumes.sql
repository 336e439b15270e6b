-- A month and modality at a PACS. A study of two modalities counts at both, as in modality_day.
with months as (
    select pacs, date_trunc('month', day)::date as month, modality,
        sum(studies)::bigint as studies, sum(series)::bigint as series, sum(instances)::bigint as instances
    from {{ source('lake', 'modality_day') }}
    group by all
)
select months.*, case
    when month is null then coalesce((
        select bool_and(coverage.proven) from {{ ref('coverage') }} as coverage
        where coverage.pacs = months.pacs and coverage.undated
    ), false)
    else coalesce((  -- days that nobody asked for are in no range
        select sum(least(coverage.date_to, last_day(months.month)) - greatest(coverage.date_from, months.month) + 1)
        from {{ ref('coverage') }} as coverage
        where coverage.pacs = months.pacs and coverage.proven and not coverage.undated
            and coverage.date_from <= last_day(months.month) and coverage.date_to >= months.month
    ), 0) = day(last_day(months.month))
    end as proven
from months
