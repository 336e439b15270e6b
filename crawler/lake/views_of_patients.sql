-- Patients as their PACS tells of them, and those whom only their studies name: Study Root has no PATIENT level. Of the
-- latter each value is that of the newest study that has one, and the counts are sums over the studies known here.
CREATE OR REPLACE VIEW patients AS
($told)
UNION ALL BY NAME
SELECT pacs, arg_max(SpecificCharacterSet, age) AS SpecificCharacterSet, arg_max(PatientName, age) AS PatientName,
    arg_max(patient_family_name, age) AS patient_family_name, arg_max(patient_given_name, age) AS patient_given_name,
    PatientID, arg_max(IssuerOfPatientID, age) AS IssuerOfPatientID, arg_max(PatientBirthDate, age) AS PatientBirthDate,
    arg_max(PatientSex, age) AS PatientSex, count(*) AS NumberOfPatientRelatedStudies,
    sum(NumberOfStudyRelatedSeries)::BIGINT AS NumberOfPatientRelatedSeries,
    sum(NumberOfStudyRelatedInstances)::BIGINT AS NumberOfPatientRelatedInstances,
    min(first_seen_at) AS first_seen_at, max(changed_at) AS changed_at, CAST(NULL AS TIMESTAMP) AS removed_at,
    arg_max(sweep_id, changed_at) AS sweep_id, [] AS faults, [] AS raw
FROM (SELECT *, coalesce(CAST(StudyDate AS VARCHAR), '') || ' ' || StudyInstanceUID AS age FROM studies)
ANTI JOIN $versions AS known USING (pacs, PatientID)
WHERE PatientID <> ''
GROUP BY pacs, PatientID
