-- A sign of life from whoever still holds the lease; no row is changed where it is lost.
UPDATE leases SET beat = beat + 1, beaten_at = :now WHERE experiment_id = :experiment AND token = :token;
