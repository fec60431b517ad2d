SELECT (SELECT group_concat(name, ', ') FROM (SELECT DISTINCT coalesce(role || ' = ' || model, model) AS name FROM p ORDER BY role, model)) AS models, count(DISTINCT variant_id) AS variants, min(text) AS text, printf('%d', max(windows)) AS windows,
       CASE WHEN min(n) = max(n) THEN printf('%d', min(n)) ELSE printf('%d to %d', min(n), max(n)) END AS items
FROM p
