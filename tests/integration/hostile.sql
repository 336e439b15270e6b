-- Statements that the service refuses, one a line.

-- No SELECT, or more than one
COPY studies TO '/tmp/x.csv'
COPY (SELECT 1) TO '/tmp/x.csv'
COPY studies FROM '/tmp/x.csv'
COPY (SELECT 1) TO '/dev/fd/3'
COPY FROM DATABASE memory TO other
EXPLAIN COPY (SELECT 1) TO '/tmp/x.csv'
EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/x.csv'
EXPLAIN ANALYZE SELECT 1
EXPLAIN (ANALYZE) SELECT 1
EXPLAIN (ANALYZE, FORMAT json) SELECT 1
EXPLAIN (FORMAT json) SELECT 1
EXPLAIN CREATE TABLE t (a INTEGER)
EXPLAIN INSERT INTO studies SELECT 1
EXPLAIN DROP VIEW studies
EXPLAIN EXPLAIN SELECT 1
EXPLAIN SELECT * FROM '/etc/passwd'
EXPLAIN FROM read_csv('/etc/passwd')
EXPLAIN SET threads = 1
EXPLAIN ATTACH '/tmp/x.db'
/**/ EXPLAIN /**/ ANALYZE SELECT 1
ATTACH '/tmp/x.db'
ATTACH ':memory:' AS other
ATTACH 'lake.duckdb' AS other (READ_ONLY)
ATTACH OR REPLACE ':memory:' AS memory
ATTACH 'https://example.com/x.db'
DETACH memory
USE whole
USE information_schema
INSTALL httpfs
FORCE INSTALL httpfs
INSTALL './x.duckdb_extension'
LOAD httpfs
LOAD '/tmp/x.duckdb_extension'
UPDATE EXTENSIONS
SET memory_limit = '100GB'
SET threads = 64
SET enable_external_access = true
SET lock_configuration = false
SET GLOBAL allowed_paths = ['/']
SET SESSION search_path = 'whole'
SET search_path = 'whole'
SET schema = 'whole'
SET VARIABLE x = 1
SET TimeZone = 'UTC'
SET default_collation = 'nocase'
RESET threads
RESET VARIABLE x
PRAGMA database_list
PRAGMA show_tables
PRAGMA table_info('studies')
PRAGMA storage_info('studies')
PRAGMA enable_profiling
PRAGMA profiling_output = '/tmp/x'
PRAGMA memory_limit = '100GB'
PRAGMA version
PRAGMA import_database('/tmp')
PRAGMA copy_database('a', 'b')
PRAGMA json_execute_serialized_sql('x')
CREATE TABLE t AS SELECT 1
CREATE TEMP TABLE t AS SELECT 1
CREATE TEMPORARY VIEW v AS SELECT 1
CREATE VIEW v AS SELECT 1
CREATE OR REPLACE VIEW studies AS SELECT * FROM whole.studies
CREATE SCHEMA s
CREATE SEQUENCE s
CREATE INDEX i ON studies (pacs)
CREATE TYPE mood AS ENUM ('a')
CREATE MACRO m(a) AS a
CREATE MACRO m() AS TABLE SELECT 1
CREATE FUNCTION f(a) AS a
CREATE SECRET s (TYPE s3, KEY_ID 'x', SECRET 'y')
CREATE PERSISTENT SECRET s (TYPE s3)
CREATE TRIGGER t AFTER INSERT ON studies FOR EACH ROW SELECT 1
DROP VIEW studies
DROP VIEW IF EXISTS studies
DROP TABLE studies
DROP SCHEMA main CASCADE
DROP SECRET s
ALTER VIEW studies RENAME TO x
ALTER TABLE studies ADD COLUMN a INTEGER
COMMENT ON VIEW studies IS 'x'
COMMENT ON COLUMN studies.pacs IS 'x'
INSERT INTO studies VALUES (1)
INSERT INTO studies SELECT * FROM studies
UPDATE studies SET pacs = 'x'
DELETE FROM studies
TRUNCATE studies
MERGE INTO studies USING series ON true WHEN MATCHED THEN DELETE
CALL pragma_version()
CALL range(3)
CALL read_text('/etc/passwd')
CALL enable_logging()
CALL duckdb_settings()
CHECKPOINT
FORCE CHECKPOINT
VACUUM
VACUUM ANALYZE studies
ANALYZE
BEGIN
BEGIN TRANSACTION
START TRANSACTION
COMMIT
ROLLBACK
ABORT
EXPORT DATABASE '/tmp/x'
IMPORT DATABASE '/tmp/x'
PREPARE p AS SELECT 1
EXECUTE p
EXECUTE p(1)
DEALLOCATE p
SELECT 1; SELECT 2
SELECT 1; DROP VIEW studies
SELECT 1;;COPY studies TO '/tmp/x.csv'
SELECT 1 /* ; */; /* ; */ SELECT 2 -- ;
PIVOT studies ON pacs
PIVOT studies ON pacs USING count(*)
FROM (PIVOT studies ON pacs)
SHOW ALL TABLES
SHOW DATABASES
SHOW SCHEMAS
SHOW VARIABLES
SHOW TABLES FROM whole
SHOW TABLES FROM information_schema
SHOW threads
SHOW memory_limit
SHOW temp_directory
SHOW search_path
DESCRIBE duckdb_settings
DESCRIBE '/etc/passwd'
DESCRIBE FROM read_csv('/etc/passwd')
DESCRIBE TABLE '/etc/passwd'
SUMMARIZE '/etc/passwd'
SUMMARIZE duckdb_views
SUMMARIZE FROM read_text('/etc/passwd')
WITH x AS (INSERT INTO studies VALUES (1) RETURNING *) FROM x
WITH x AS (UPDATE studies SET pacs = 'x' RETURNING *) FROM x
WITH x AS (DELETE FROM studies RETURNING *) FROM x
WITH x AS (COPY (SELECT 1) TO '/tmp/x.csv') SELECT 1
WITH x AS (SELECT 1) COPY (FROM x) TO '/tmp/x.csv'
WITH x AS (SELECT 1) INSERT INTO studies FROM x
WITH x AS (SELECT 1), y AS (DELETE FROM studies RETURNING *) SELECT * FROM x, (SELECT * FROM y)
SELECT * FROM (WITH x AS (DELETE FROM studies RETURNING *) FROM x)
SELECT (WITH x AS (DELETE FROM studies RETURNING pacs) SELECT max(pacs) FROM x)
SELECT DEFAULT

-- Beyond the lake's tables
FROM '/etc/passwd'
FROM "/etc/passwd"
SELECT * FROM '/etc/passwd'
TABLE '/etc/passwd'
FROM 'x.csv'
FROM 'x.parquet'
FROM '*.parquet'
FROM 'log/entity=study/*.parquet'
FROM 'x.json'
FROM 'x.db'
FROM 'https://example.com/x.csv'
FROM 's3://bucket/x.parquet'
SELECT (SELECT max(a) FROM 'x.csv' t(a))
SELECT * FROM studies JOIN 'x.csv' ON true
SELECT * FROM studies WHERE EXISTS (FROM 'x.csv')
SELECT 1 IN (FROM 'x.csv')
SELECT [x FOR x IN (SELECT list(a) FROM 'x.csv' t(a))]
VALUES ((SELECT 1 FROM 'x.csv'))
SELECT 1 UNION ALL FROM 'x.csv'
SELECT 1 LIMIT (SELECT count(*) FROM 'x.csv')
SELECT 1 ORDER BY (SELECT count(*) FROM 'x.csv')
SELECT sum(1) OVER (ORDER BY (SELECT count(*) FROM 'x.csv'))
SELECT 1 GROUP BY (SELECT count(*) FROM 'x.csv')
SELECT 1 HAVING (SELECT true FROM 'x.csv')
SELECT 1 QUALIFY (SELECT true FROM 'x.csv')
SELECT DISTINCT ON ((SELECT 1 FROM 'x.csv')) 1
SELECT * FROM range((SELECT count(*) FROM 'x.csv'))
SELECT * FROM studies, LATERAL (FROM 'x.csv')
SELECT * FROM studies TABLESAMPLE 10 PERCENT JOIN 'x.csv' ON true
SELECT * FROM 'x.csv' PIVOT (count(*) FOR a IN (1))
UNPIVOT 'x.csv' ON a
WITH a AS (FROM 'x.csv') SELECT 1
WITH RECURSIVE a AS (SELECT 1 UNION ALL FROM 'x.csv') SELECT 1
WITH a AS (WITH b AS (FROM 'x.csv') SELECT 1) SELECT 1
WITH "x.csv" AS (SELECT 1) SELECT * FROM studies, (FROM 'x.csv')
WITH pg_settings AS (FROM pg_settings) FROM pg_settings
WITH sqlite_master AS (FROM sqlite_master) FROM sqlite_master
WITH duckdb_views AS (SELECT 1) SELECT * FROM (FROM duckdb_views)
FROM whole.studies
FROM memory.whole.studies
FROM "whole"."studies"
FROM WHOLE.STUDIES
FROM temp.studies
FROM system.studies
FROM other.main.studies
FROM information_schema.tables
FROM information_schema.columns
FROM information_schema.views
FROM pg_catalog.pg_views
FROM pg_views
FROM pg_class
FROM pg_settings
FROM sqlite_master
FROM sqlite_temp_master
FROM duckdb_views
FROM duckdb_tables
FROM duckdb_columns
FROM duckdb_databases
FROM duckdb_settings
FROM duckdb_logs
FROM duckdb_secrets
FROM pragma_database_list
FROM studies AT (VERSION => 1), 'x.csv'
FROM system.main.duckdb_views
FROM nosuch
FROM ""

-- Functions that reach further than their arguments
FROM read_text('/etc/passwd')
FROM READ_TEXT('/etc/passwd')
FROM "read_text"('/etc/passwd')
FROM main.read_text('/etc/passwd')
FROM system.main.read_text('/etc/passwd')
FROM read_blob('/etc/passwd')
FROM read_csv('/etc/passwd')
FROM read_csv_auto('/etc/passwd')
FROM read_json('/etc/passwd')
FROM read_parquet('/tmp/*.parquet')
FROM parquet_scan('/tmp/*.parquet')
FROM parquet_metadata('/tmp/*.parquet')
FROM parquet_schema('/tmp/*.parquet')
FROM parquet_kv_metadata('/tmp/*.parquet')
FROM read_duckdb('/tmp/x.db')
FROM sniff_csv('/etc/passwd')
FROM glob('/etc/*')
FROM query('SELECT 1')
FROM query('COPY (SELECT 1) TO ''/tmp/x''')
FROM query_table('studies')
FROM query_table(['/etc/passwd'])
FROM histogram('/etc/passwd', a)
FROM histogram(studies, pacs)
FROM histogram_values(studies, pacs)
FROM json_execute_serialized_sql('x')
FROM duckdb_settings()
FROM duckdb_secrets()
FROM duckdb_views()
FROM duckdb_columns()
FROM duckdb_tables()
FROM duckdb_temporary_files()
FROM duckdb_variables()
FROM duckdb_functions()
FROM duckdb_logs()
FROM which_secret('s3://x', 's3')
FROM pragma_database_list()
FROM pragma_table_info('studies')
FROM pragma_show('studies')
FROM pragma_user_agent()
FROM pragma_storage_info('studies')
FROM enable_logging()
FROM enable_profiling()
FROM checkpoint()
FROM force_checkpoint()
FROM seq_scan('studies')
FROM arrow_scan(1, 2, 3)
FROM pandas_scan(1)
FROM python_map_function(1)
FROM summary(studies)
FROM getvariable('x')
FROM create_external_resource('x')
SELECT * FROM studies, LATERAL read_text(pacs)
SELECT * FROM studies JOIN read_text('/etc/passwd') ON true
SELECT (SELECT content FROM read_text('/etc/passwd'))
SELECT getenv('HOME')
SELECT GETENV('HOME')
SELECT getvariable('x')
SELECT current_setting('temp_directory')
SELECT current_setting('memory_limit')
SELECT system.main.current_setting('threads')
SELECT current_query()
SELECT current_query_id()
SELECT current_connection_id()
SELECT pg_get_viewdef(1)
SELECT pg_sleep(100)
SELECT sleep_ms(100000)
SELECT write_log('x')
SELECT nextval('s')
SELECT currval('s')
SELECT setval('s', 1)
SELECT stats(pacs) FROM studies
SELECT vector_type(pacs) FROM studies
SELECT json_serialize_plan('FROM studies')
SELECT json_serialize_sql('FROM studies')
SELECT json_deserialize_sql('x')
SELECT get_block_size('memory')
SELECT index_key('memory', 'main', 'studies', 'i', 1)
SELECT txid_current()
SELECT version()
SELECT __internal_decompress_string(1)
SELECT glob('/etc/*')
SELECT read_text('/etc/passwd')
SELECT query('SELECT 1')
SELECT nosuch(1)
SELECT main.nosuch(1)
SELECT current_setting(pacs) FROM studies
SELECT list_transform(['threads'], lambda x: current_setting(x))
SELECT max(current_setting('threads')) OVER ()
SELECT count(*) FILTER (WHERE current_setting('threads') = '1')
SELECT 1 ORDER BY current_setting('threads')
SELECT 'threads'.current_setting()
SELECT CASE WHEN true THEN current_setting('threads') END
SELECT {'a': current_setting('threads')}
SELECT CAST(current_setting('threads') AS INTEGER)
SELECT COALESCE(NULL, current_setting('threads'))
SELECT * FROM range(current_setting('threads')::INTEGER)
SELECT * FROM unnest([current_setting('threads')])
SELECT * FROM studies WHERE pacs = current_setting('threads')
SELECT * FROM studies LIMIT current_setting('threads')::INTEGER
SELECT COLUMNS(c -> c = current_setting('threads')) FROM studies
SELECT * REPLACE (current_setting('threads') AS pacs) FROM studies
SELECT TRY(current_setting('threads'))
