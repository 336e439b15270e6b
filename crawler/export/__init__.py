"""Tables as the files that others want: whole or not at all, Excel, FHIR."""
