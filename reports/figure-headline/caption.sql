SELECT CASE WHEN min(items) = max(items) THEN printf('%d', min(items)) ELSE printf('%d to %d', min(items), max(items)) END AS items,
       CASE WHEN min(windows) = max(windows) THEN printf('%d', min(windows)) ELSE printf('%d to %d', min(windows), max(windows)) END AS windows,
       count(DISTINCT variant_id) AS variants, min(text) AS text, CAST(total(times_dense > 4) AS INTEGER) AS beyond,
       (SELECT group_concat(name, ', ') FROM (SELECT DISTINCT coalesce(role || ' = ' || model, model) AS name
                                             FROM point ORDER BY role_order, model)) AS models
FROM point
