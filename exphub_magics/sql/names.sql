-- Every experiment's id, name and version.
SELECT id, name, row_number() OVER (PARTITION BY name ORDER BY id) AS version, fingerprint FROM experiments ORDER BY id;
