DELETE FROM leases WHERE experiment_id = :experiment AND token = :token;
