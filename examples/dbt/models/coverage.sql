-- What is proven complete, by ranges of days, as `pacslake coverage --format csv` says it. Beginning and end are open.
select pacs, coalesce(date_from, '0001-01-01'::date) as date_from, coalesce(date_to, '9999-12-31'::date) as date_to,
    undated, state = 'complete' as proven
from read_csv('{{ env_var("PACSLAKE_COVERAGE", "coverage.csv") }}', header = true, columns = {
    'pacs': 'varchar', 'undated': 'boolean', 'date_from': 'date', 'date_to': 'date', 'days': 'bigint',
    'state': 'varchar', 'level': 'varchar', 'reason': 'varchar', 'command': 'varchar'})
