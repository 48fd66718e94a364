-- How an endpoint is to be asked, as it was found out before.
SELECT form FROM endpoints WHERE provider = :provider AND base_url = :base_url AND model_name = :model_name;
