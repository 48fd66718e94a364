-- The experiments that ask about the narratives of a content.
SELECT e.id
FROM experiments AS e
JOIN datasets AS d ON d.id = e.dataset_id
WHERE d.sha256 = :sha256
ORDER BY e.id;
