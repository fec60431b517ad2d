SELECT CASE WHEN min(window_count) = max(window_count) THEN printf('%d', min(window_count))
            ELSE printf('%d to %d', min(window_count), max(window_count)) END AS windows,
       count(DISTINCT variant_id) AS variants,
       (SELECT group_concat(text, ', ') FROM (SELECT DISTINCT text FROM s ORDER BY text)) AS texts,
       (SELECT group_concat(name, ', ') FROM (SELECT DISTINCT coalesce(role || ' = ' || model, model) AS name
                                             FROM s ORDER BY role, model)) AS models
FROM s
