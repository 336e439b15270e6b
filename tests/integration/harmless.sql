-- Statements that the service answers in both roles, one a line.

WITH one AS (FROM studies) SELECT count(*) FROM one
VALUES (1), (2)
FROM studies SELECT pacs;
TABLE studies
DESCRIBE studies
SUMMARIZE studies
SHOW TABLES
EXPLAIN SELECT * FROM studies
  explain  select 1
SELECT * FROM (DESCRIBE studies)
SELECT unnest([1, 2]), x FROM range(3) t(x)
SELECT date_trunc('month', changed_at) AS m, count(*) FROM studies GROUP BY ALL ORDER BY ALL DESC LIMIT 3
SELECT * FROM main.studies JOIN series USING (pacs) WHERE Modality LIKE 'C%' OR Modality IN ('MR', 'US')
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r
FROM studies PIVOT (count(*) FOR InstanceAvailability IN ('ONLINE', 'NEARLINE'))
SELECT pacs, row_number() OVER (PARTITION BY pacs ORDER BY changed_at) AS n FROM studies QUALIFY n = 1
SELECT list_transform(ModalitiesInStudy, lambda x: lower(x)), faults[1].tag, CASE WHEN true THEN 1 END, sum(NumberOfStudyRelatedSeries) FILTER (WHERE pacs = 'main') OVER (), now()::DATE - 7, {'a': 1}.a, coalesce(sweep_id, 'x') || '!', extract(year FROM changed_at), try_cast('x' AS INTEGER), current_date FROM studies
SELECT pacs FROM studies UNION ALL SELECT pacs FROM series EXCEPT SELECT 'x'
SELECT * EXCLUDE (faults) REPLACE ('x' AS pacs) FROM studies USING SAMPLE 2
SELECT pacs, Modality, count(*), grouping(Modality) FROM series GROUP BY GROUPING SETS ((pacs, Modality), (pacs), ()) ORDER BY 1 NULLS LAST
SELECT s.pacs, t.n FROM studies s, LATERAL (SELECT count(*) AS n FROM series r WHERE r.pacs = s.pacs) t
SELECT pacs FROM studies s WHERE EXISTS (SELECT 1 FROM series r WHERE r.pacs = s.pacs AND r.SeriesNumber BETWEEN 1 AND 99) AND pacs NOT IN (SELECT 'x')
SELECT max(COLUMNS(* EXCLUDE (faults))) FROM series
SELECT DISTINCT ON (pacs) pacs, changed_at FROM studies ORDER BY pacs, changed_at DESC
SELECT [x * 2 FOR x IN range(5) IF x % 2 = 0] AS l, {'a': [1, 2]} AS s, MAP {'k': 1}['k'] AS m, 'abc'[1:2] AS t
SELECT lag(changed_at, 1) OVER w, sum(1) OVER (PARTITION BY pacs ORDER BY changed_at ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM studies WINDOW w AS (ORDER BY changed_at)
FROM (FROM series SELECT Modality, count(*) AS n GROUP BY ALL) WHERE n > 1 OR Modality IS NULL LIMIT 10 OFFSET 1
SELECT a.pacs FROM studies a LEFT JOIN studies b ON a.pacs = b.pacs AND a.changed_at < b.changed_at ASOF JOIN sweeps c ON a.pacs = c.pacs AND a.changed_at >= c.started_at
UNPIVOT (SELECT NumberOfStudyRelatedSeries AS a, NumberOfStudyRelatedInstances AS b FROM studies) ON a, b INTO NAME n VALUE v
SELECT pacs.upper().left(2), CAST(changed_at AS DATE)::VARCHAR, INTERVAL 1 DAY, DATE '2024-01-01', 0x1F, 1_000, E'a\n', $$a$$ FROM studies
WITH a AS MATERIALIZED (SELECT 1 AS n), b(m) AS (SELECT n + 1 FROM a) SELECT *, (SELECT max(m) FROM b) FROM a POSITIONAL JOIN b
SELECT j.value FROM json_each('{"a": 1}') j
SELECT approx_quantile(took_ms, 0.9), mode(state), string_agg(level, ', ' ORDER BY level) FILTER (WHERE state <> 'complete'), arg_max(state, asked_at) FROM windows
SUMMARIZE SELECT pacs, changed_at FROM studies
DESCRIBE SELECT 1 AS a
