-- The pages that the hub's file has, those of them that are free, and the size of one.
SELECT freelist_count AS free, page_count AS pages, page_size AS bytes
FROM pragma_freelist_count, pragma_page_count, pragma_page_size;
