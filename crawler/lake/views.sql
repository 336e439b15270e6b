-- The tables that everybody queries, as views over the log. crawler/lake/views.py fills in the $names and says from which
-- files; a view's name stands in front of it. Statements are separated by empty lines.

-- Current rows: the versions that no version supersedes. Files without superseding rows are not asked for any.
CREATE OR REPLACE VIEW $table AS
SELECT pacs, $columns, first_seen_at, valid_from AS changed_at, CAST(NULL AS TIMESTAMP) AS removed_at, sweep_id, faults, raw
FROM $candidates
$only_current

-- Every version and how long it stood.
CREATE OR REPLACE VIEW ${table}_history AS
SELECT pacs, $columns, valid_from, valid_to, change, first_seen_at, sweep_id, faults, raw, row_id
FROM $versions
LEFT JOIN (
    SELECT supersedes AS replaced_row_id, valid_from AS valid_to FROM $superseding WHERE supersedes IS NOT NULL
) ON row_id = replaced_row_id

-- The coverage ledger: what was asked, and what can be said of the answer.
CREATE OR REPLACE VIEW windows AS
SELECT pacs, level, date_from, date_to, time_from, time_to, "key", state, answer_rows AS "rows", status, cap, sweep_id,
    asked_at, took_ms, queries, duplicates, rejects, reason, coalesce(undated, 0) AS undated
FROM $windows

-- The newest state of each sweep.
CREATE OR REPLACE VIEW sweeps AS
SELECT * EXCLUDE (row_id) FROM $sweeps
QUALIFY row_number() OVER (PARTITION BY sweep_id, pacs ORDER BY row_id DESC) = 1

-- Answers that could be no rows.
CREATE OR REPLACE VIEW rejects AS
SELECT * EXCLUDE (row_id) FROM $rejects

-- The newest of what was learned about each PACS.
CREATE OR REPLACE VIEW pacs_profiles AS
SELECT * EXCLUDE (row_id) FROM $profiles
QUALIFY row_number() OVER (PARTITION BY pacs, level, name ORDER BY row_id DESC) = 1

-- Every scheduled job that was done, in the order of doing.
CREATE OR REPLACE VIEW job_runs AS
SELECT row_id AS run, * EXCLUDE (row_id) FROM $jobs

-- Each version of each cohort. A row without a version says that the cohort was dropped: all versions before it were.
CREATE OR REPLACE VIEW cohorts AS
SELECT * EXCLUDE (row_id) REPLACE (min(dropped_at) OVER (
    PARTITION BY cohort ORDER BY row_id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS dropped_at)
FROM $cohorts
QUALIFY version IS NOT NULL

-- What is in each version of each cohort.
CREATE OR REPLACE VIEW cohort_series AS
SELECT * EXCLUDE (row_id, frozen_at) FROM $cohort_series

-- Every file in the store, as it was reported last: one that came again with the same bytes is reported again.
CREATE OR REPLACE VIEW files AS
SELECT * EXCLUDE (row_id) FROM $files
QUALIFY row_number() OVER (PARTITION BY SeriesInstanceUID, SOPInstanceUID, path ORDER BY row_id DESC) = 1

-- How far the retrieval of each series has come.
CREATE OR REPLACE VIEW retrievals AS
SELECT * EXCLUDE (row_id) FROM $retrievals
QUALIFY row_number() OVER (PARTITION BY pacs, StudyInstanceUID, SeriesInstanceUID ORDER BY row_id DESC) = 1

-- Every state that the retrieval of a series went through, in the order of `change`.
CREATE OR REPLACE VIEW retrieval_history AS
SELECT row_id AS change, * EXCLUDE (row_id) FROM $retrievals

-- What people decided about images that may show who the patient is, newest last; the newest decision counts.
CREATE OR REPLACE VIEW reviews AS
SELECT row_id AS review, * EXCLUDE (row_id) FROM $reviews

-- Which version of the log these views show.
CREATE OR REPLACE VIEW lake_version AS
SELECT CAST($version AS BIGINT) AS version, CAST($format AS BIGINT) AS format
