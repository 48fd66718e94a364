-- A table of empty megabytes: once it is dropped, its pages are free for answers.
CREATE TABLE ballast AS
WITH RECURSIVE part (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM part WHERE number < :megabytes)
SELECT zeroblob(1048576) AS room FROM part;
