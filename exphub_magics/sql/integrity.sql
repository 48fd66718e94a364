-- What is wrong with the file, its indexes held against their tables; `ok` where nothing is.
SELECT integrity_check AS said FROM pragma_integrity_check(1);
