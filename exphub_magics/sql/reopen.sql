UPDATE experiments SET end_time = NULL WHERE id = :experiment;
