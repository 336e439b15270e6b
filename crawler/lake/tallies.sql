-- What `tallies.py` counts, a statement a block. Counts of rows alone: no value of a patient, none of an institution.

-- Studies and series by month, modality, equipment and body part. A study's modality is all that it has.
CREATE TABLE explored AS
SELECT pacs, 'study' AS level, date_trunc('month', StudyDate)::DATE AS "month",
    array_to_string(list_sort(ModalitiesInStudy), ' ') AS modality, NULL::VARCHAR AS scanner, NULL::VARCHAR AS body_part,
    count(*) AS "rows", sum(NumberOfStudyRelatedInstances)::BIGINT AS instances
FROM studies WHERE removed_at IS NULL GROUP BY ALL
UNION ALL
SELECT pacs, 'series', date_trunc('month', coalesce(SeriesDate, StudyDate))::DATE, Modality,
    nullif(concat_ws(' ', Manufacturer, ManufacturerModelName), ''), BodyPartExamined,
    count(*), sum(NumberOfSeriesRelatedInstances)::BIGINT
FROM (SELECT * FROM series WHERE removed_at IS NULL)
LEFT JOIN (SELECT pacs, StudyInstanceUID, StudyDate FROM studies) USING (pacs, StudyInstanceUID)
GROUP BY ALL

-- Malformed values by attribute.
CREATE TABLE faulty AS
SELECT pacs, level, fault.tag AS tag, fault.reason AS reason, count(*) AS "rows" FROM (
    SELECT pacs, 'study' AS level, unnest(faults) AS fault FROM studies WHERE len(faults) > 0
    UNION ALL SELECT pacs, 'series', unnest(faults) FROM series WHERE len(faults) > 0
    UNION ALL SELECT pacs, 'image', unnest(faults) FROM instances WHERE len(faults) > 0
) GROUP BY ALL

-- Studies that were not there when their day was first swept to its end, by how many days they came after their date.
CREATE TABLE late AS
SELECT pacs, date_trunc('month', StudyDate)::DATE AS "month",
    CASE WHEN lag <= 1 THEN '1 day' WHEN lag <= 7 THEN '2 to 7 days' WHEN lag <= 30 THEN '8 to 30 days'
        ELSE 'more than 30 days' END AS lag,
    count(*) AS studies
FROM (
    SELECT pacs, StudyDate, first_seen_at, date_diff('day', StudyDate, first_seen_at::DATE) AS lag FROM studies
)
JOIN (
    SELECT pacs, StudyDate, min(finished_at) AS swept_at
    FROM (SELECT DISTINCT pacs, StudyDate FROM studies)
    JOIN (SELECT * FROM sweeps WHERE state = 'complete' AND list_contains(levels, 'study')) USING (pacs)
    WHERE coalesce(date_from <= StudyDate, true) AND coalesce(date_to >= StudyDate, true)
        AND started_at::DATE > StudyDate
    GROUP BY ALL
) USING (pacs, StudyDate)
WHERE first_seen_at > swept_at
GROUP BY ALL

-- One UID for what should be two.
CREATE TABLE conflicting AS
SELECT level, kind, count(*) AS uids FROM conflicts GROUP BY ALL

-- Answers that could be no rows.
CREATE TABLE rejected AS
SELECT pacs, level, count(*) AS answers FROM rejects GROUP BY ALL
