WITH s AS (SELECT * FROM scores WHERE rule = 'strict' AND part_kind = 'all' AND is_usual AND (shots IS NULL OR shots = 0) AND task IN ('factoid', 'choice', 'retrieval') AND compression IN ('none', 'unstructured'))
SELECT CASE WHEN min(item_count) = max(item_count) THEN printf('%d', min(item_count))
            ELSE printf('%d to %d', min(item_count), max(item_count)) END AS items,
       (SELECT group_concat(name, ', ') FROM (SELECT DISTINCT coalesce(role || ' = ' || model, model) AS name
                                             FROM s ORDER BY role_order, model)) AS models
FROM s
