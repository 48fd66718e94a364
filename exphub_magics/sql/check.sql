-- What is wrong with the file's pages; `ok` where nothing is.
SELECT quick_check AS said FROM pragma_quick_check(1);
