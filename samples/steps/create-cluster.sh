# In the guest's root, once, before the overlay is laid over it: an empty cluster with checksums, so that a page
# damaged on the way to a recovered server is an error there, never a wrong row.
pg_dropcluster 15 main 2>/dev/null || true
pg_createcluster 15 main --locale C.UTF-8 -- --data-checksums
