WITH s AS (SELECT * FROM (SELECT *, min(shots) OVER same AS fewest, max(shots) OVER same AS most
                          FROM scores WHERE task = 'choice' AND rule = 'strict' AND part_kind = 'all' WINDOW same AS (PARTITION BY variant_id))
           WHERE fewest < most AND is_usual AND (compression = 'none' OR method_name = 'wanda' AND compression = 'unstructured'))
SELECT CASE WHEN min(item_count) = max(item_count) THEN printf('%d', min(item_count))
            ELSE printf('%d to %d', min(item_count), max(item_count)) END AS items,
       count(DISTINCT variant_id) AS variants,
       (SELECT group_concat(data_name, ', ') FROM (SELECT DISTINCT data_name FROM s ORDER BY data_name)) AS data,
       (SELECT group_concat(name, ', ') FROM (SELECT DISTINCT coalesce(role || ' = ' || model, model) AS name
                                             FROM s ORDER BY role_order, model)) AS models
FROM s
