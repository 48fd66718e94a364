-- The replies stored under these hashes.
SELECT * FROM responses WHERE request_hash IN (SELECT value FROM json_each(:requests));
