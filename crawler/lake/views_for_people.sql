-- Questions that people ask again and again, as views over the tables of views.sql. docs/analysts.md says what each column
-- means. A statement a block; blocks are separated by empty lines.

-- What was made when: studies, series and images of each day and modality.
CREATE OR REPLACE VIEW modality_day AS
SELECT pacs, StudyDate AS "day", Modality AS modality, count(*) AS studies, sum(series)::BIGINT AS series,
    sum(instances)::BIGINT AS instances
FROM (
    SELECT pacs, StudyInstanceUID, Modality, count(*) AS series, sum(NumberOfSeriesRelatedInstances) AS instances
    FROM series GROUP BY ALL
)
JOIN (SELECT pacs, StudyInstanceUID, StudyDate FROM studies) USING (pacs, StudyInstanceUID)
GROUP BY ALL

-- Which equipment made what, and from when to when.
CREATE OR REPLACE VIEW scanner_inventory AS
SELECT pacs, StationName, Manufacturer, ManufacturerModelName, InstitutionName,
    list_sort(list(DISTINCT Modality) FILTER (Modality IS NOT NULL)) AS modalities,
    min("day") AS first_day, max("day") AS last_day, count(DISTINCT StudyInstanceUID) AS studies, count(*) AS series,
    sum(NumberOfSeriesRelatedInstances)::BIGINT AS instances
FROM (
    SELECT series.*, coalesce(SeriesDate, StudyDate) AS "day"
    FROM series
    LEFT JOIN (SELECT pacs, StudyInstanceUID, StudyDate FROM studies) USING (pacs, StudyInstanceUID)
)
GROUP BY pacs, StationName, Manufacturer, ManufacturerModelName, InstitutionName

-- How much each PACS got in each month, by its own counts.
CREATE OR REPLACE VIEW study_volume AS
SELECT pacs, date_trunc('month', StudyDate)::DATE AS "month", count(*) AS studies,
    count(DISTINCT PatientID) AS patients, sum(NumberOfStudyRelatedSeries)::BIGINT AS series,
    sum(NumberOfStudyRelatedInstances)::BIGINT AS instances
FROM studies
GROUP BY ALL

-- How long each study took: to its last series of images, and to its first report. A dose report is no report.
CREATE OR REPLACE VIEW turnaround AS
SELECT pacs, StudyInstanceUID, StudyDate, StudyDescription, started_at, last_images_at, first_report_at,
    round(date_diff('second', started_at, last_images_at) / 60, 1) AS imaging_minutes,
    round(date_diff('second', started_at, first_report_at) / 60, 1) AS report_minutes
FROM (
    SELECT pacs, StudyInstanceUID, StudyDate, StudyDescription, StudyDate + StudyTime AS started_at FROM studies
)
LEFT JOIN (
    SELECT pacs, StudyInstanceUID,
        max(SeriesDate + SeriesTime) FILTER (Modality NOT IN ('SR', 'DOC', 'KO', 'PR')) AS last_images_at,
        min(SeriesDate + SeriesTime) FILTER (
            Modality IN ('SR', 'DOC') AND coalesce(SeriesDescription, '') NOT ILIKE '%dose%'
        ) AS first_report_at
    FROM series
    GROUP BY ALL
) USING (pacs, StudyInstanceUID)

-- One UID for what should be two: under two PACS, two patients, or in two studies.
CREATE OR REPLACE VIEW conflicts AS
SELECT 'study' AS level, StudyInstanceUID AS uid,
    CASE WHEN count(DISTINCT PatientID) > 1 THEN 'two_patients' ELSE 'two_pacs' END AS kind,
    list_sort(list(DISTINCT pacs)) AS pacs, list_sort(list(DISTINCT PatientID)) AS patients,
    [StudyInstanceUID] AS studies
FROM studies
GROUP BY StudyInstanceUID
HAVING count(*) > 1
UNION ALL
SELECT 'series', SeriesInstanceUID, 'two_studies', list_sort(list(DISTINCT pacs)),
    list_sort(list(DISTINCT PatientID) FILTER (PatientID IS NOT NULL)), list_sort(list(DISTINCT StudyInstanceUID))
FROM series
LEFT JOIN (SELECT pacs, StudyInstanceUID, PatientID FROM studies) USING (pacs, StudyInstanceUID)
WHERE hash(SeriesInstanceUID) IN (SELECT hash(SeriesInstanceUID) FROM series GROUP BY ALL HAVING count(*) > 1)
GROUP BY SeriesInstanceUID
HAVING count(DISTINCT StudyInstanceUID) > 1

-- Staging for OMOP's image_occurrence, a row a series. Ids of persons and procedures come from the site's own crosswalk.
CREATE OR REPLACE VIEW omop_imaging_staging AS
SELECT pacs, PatientID AS person_source_value, AccessionNumber AS procedure_source_value,
    coalesce(SeriesDate, StudyDate) AS image_occurrence_date, StudyInstanceUID AS image_study_uid,
    SeriesInstanceUID AS image_series_uid, Modality AS modality_source_value,
    BodyPartExamined AS anatomic_site_source_value
FROM series
LEFT JOIN (SELECT pacs, StudyInstanceUID, StudyDate, PatientID, AccessionNumber FROM studies)
    USING (pacs, StudyInstanceUID)
