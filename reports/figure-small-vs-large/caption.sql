WITH l AS (SELECT * FROM variant WHERE role = 'large' AND compression = 'none'),
s AS (SELECT * FROM variant WHERE role = 'small' AND compression = 'none')
SELECT (SELECT model FROM l) AS large, (SELECT model FROM s) AS small,
       (SELECT coalesce(printf('%.0f', 100 * v.sparsity_target), '(more than 80)') FROM variant AS v
        WHERE v.role = 'large' AND v.compression = 'unstructured'
        ORDER BY abs(v.stored_bytes - (SELECT stored_bytes FROM s)), v.sparsity_target, v.id LIMIT 1) AS equal,
       (SELECT CASE WHEN min(item_count) = max(item_count) THEN printf('%d', min(item_count))
                    ELSE printf('%d to %d', min(item_count), max(item_count)) END FROM scores
        WHERE role = 'small' AND compression = 'none' AND rule = 'strict' AND part_kind = 'all' AND is_usual AND (shots IS NULL OR shots = 0) AND task IN ('factoid', 'choice', 'retrieval')) AS items
