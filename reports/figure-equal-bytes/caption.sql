SELECT (SELECT group_concat(name, ', ') FROM (SELECT DISTINCT coalesce(role || ' = ' || model, model) AS name FROM p ORDER BY role, model)) AS models, coalesce((SELECT printf('%.2f', stored_bytes / 1e6) FROM variant WHERE role = 'small' AND compression = 'none'), '–') AS small,
       CASE WHEN min(item_count) = max(item_count) THEN printf('%d', min(item_count)) ELSE printf('%d to %d', min(item_count), max(item_count)) END AS items
FROM p
