-- Instances as their PACS tells of them, and what it does not tell from their files, where these are here. As the files are
-- grouped by the key of the join and nothing else, DuckDB leaves it out of questions that want nothing of it (a WHERE would
-- prevent that); with the series in the key, a question about one series reads its files alone.
CREATE OR REPLACE VIEW instances AS
SELECT known.* REPLACE ($coalesced)
FROM ($told) AS known
LEFT JOIN (
    SELECT SeriesInstanceUID, SOPInstanceUID, $said FROM $files GROUP BY SeriesInstanceUID, SOPInstanceUID
) AS file USING (SeriesInstanceUID, SOPInstanceUID)
