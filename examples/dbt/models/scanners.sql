-- A piece of equipment, and whether it still sends: something came in the last 30 days that its PACS has studies of.
select equipment.pacs, StationName as station, Manufacturer as manufacturer, ManufacturerModelName as model,
    InstitutionName as institution, array_to_string(modalities, ' ') as modalities, first_day, last_day, studies,
    series, instances, last_day > newest.day - 30 as still_sends
from {{ source('lake', 'scanner_inventory') }} as equipment
join (select pacs, max(StudyDate) as day from {{ source('lake', 'studies') }} group by pacs) as newest using (pacs)
