-- The datasets in the hub.
SELECT id, name, sha256 FROM datasets ORDER BY id;
