-- PACS whose volumes have fewer series than their equipment made: series whose study is not in the lake.
{{ config(severity = 'warn') }}
select pacs, volumes.series as in_volumes, scanners.series as of_scanners
from (select pacs, sum(series) as series from {{ ref('volumes') }} group by pacs) as volumes
full join (select pacs, sum(series) as series from {{ ref('scanners') }} group by pacs) as scanners using (pacs)
where volumes.series is distinct from scanners.series
