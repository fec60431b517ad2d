SELECT (SELECT group_concat(name, ', ') FROM (SELECT DISTINCT coalesce(role || ' = ' || model, model) AS name FROM answer_change ORDER BY role, model)) AS models, count(DISTINCT variant_id) AS variants,
       CASE WHEN min(n) = max(n) THEN printf('%d', min(n)) ELSE printf('%d to %d', min(n), max(n)) END AS items,
       (SELECT printf('%.1f', max(flips_percent)) FROM answer_change WHERE abs(lost_points) <= 1) AS hidden
FROM answer_change
