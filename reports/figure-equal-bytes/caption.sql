WITH p AS (
    SELECT s.*, stored_bytes / 1e6 AS megabytes, CASE WHEN compression = 'quantized' THEN 'quantized' ELSE 'pruned' END AS way
    FROM scores AS s WHERE rule = 'strict' AND part_kind = 'all' AND is_usual AND task IN ('factoid', 'choice', 'retrieval') AND coalesce(shots, 0) = 0
          AND (method_name IN ('sparsegpt', 'wanda') AND compression = 'unstructured' OR method_name = 'gptq')
    UNION ALL
    SELECT s.*, stored_bytes / 1e6, w.way FROM scores AS s, (SELECT 'pruned' AS way UNION ALL SELECT 'quantized') AS w
    WHERE rule = 'strict' AND part_kind = 'all' AND task IN ('factoid', 'choice', 'retrieval') AND coalesce(shots, 0) = 0 AND compression = 'none')
SELECT (SELECT group_concat(name, ', ') FROM (SELECT DISTINCT coalesce(role || ' = ' || model, model) AS name FROM p ORDER BY role, model)) AS models, coalesce((SELECT printf('%.2f', stored_bytes / 1e6) FROM variant WHERE role = 'small' AND compression = 'none'), '–') AS small,
       CASE WHEN min(item_count) = max(item_count) THEN printf('%d', min(item_count)) ELSE printf('%d to %d', min(item_count), max(item_count)) END AS items
FROM p
