SELECT CASE WHEN min(item_count) = max(item_count) THEN printf('%d', min(item_count))
            ELSE printf('%d to %d', min(item_count), max(item_count)) END AS items,
       count(DISTINCT variant_id) AS variants,
       (SELECT group_concat(data_name, ', ') FROM (SELECT DISTINCT data_name FROM s ORDER BY data_name)) AS data,
       (SELECT group_concat(name, ', ') FROM (SELECT DISTINCT coalesce(role || ' = ' || model, model) AS name
                                             FROM s ORDER BY role_order, model)) AS models,
       max(description) AS judge, max(unit) AS unit, max(axis) AS axis
FROM s
