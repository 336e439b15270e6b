"""Several services that share their jobs: a queue in PostgreSQL says who does what. Touches: network."""
