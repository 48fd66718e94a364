-- A dataset as it was read.
SELECT name, sha256, columns, profile, restricted FROM datasets WHERE id = :dataset;
