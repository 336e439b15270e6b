"""Crawl PACS by C-FIND into Parquet tables, query them with SQL, retrieve what was found."""
