-- A month and modality at a PACS. A study of two modalities counts at both, as in modality_day.
with months as (
    select pacs, date_trunc('month', day)::date as month, modality,
        sum(studies)::bigint as studies, sum(series)::bigint as series, sum(instances)::bigint as instances
    from {{ source('lake', 'modality_day') }}
    group by all
)
select months.*, coalesce((
        select bool_and(coverage.proven)
        from {{ ref('coverage') }} as coverage
        where coverage.pacs = months.pacs and case when months.month is null then coverage.undated else not coverage.undated
            and coverage.date_from <= last_day(months.month) and coverage.date_to >= months.month end
    ), false) as proven
from months
