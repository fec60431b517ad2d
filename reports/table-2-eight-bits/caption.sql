WITH t AS (SELECT *, CASE WHEN task = 'factoid' AND rule = 'strict' AND part_kind = 'all' THEN 'Factoid QA'
            WHEN task = 'choice' AND rule = 'strict' AND part_kind = 'all' AND shots = 0 THEN 'Multiple choice'
            WHEN task = 'retrieval' AND mode = 'open' AND rule = 'strict' AND part_kind = 'all' THEN 'Open-book QA'
            WHEN task = 'summary' AND judge = 'overlap' AND rule = 'coherence' AND part_kind = 'group' AND part = 'large'
                 THEN 'Long summaries'
            WHEN task = 'chat' AND judge = 'overlap' AND rule = 'relevance' AND part_kind = 'all' THEN 'Instructions' END AS row_label FROM scores),
s AS (SELECT * FROM t WHERE row_label IN ('Factoid QA', 'Multiple choice', 'Open-book QA', 'Instructions') AND is_usual AND compression = 'quantized' AND bits = 8 AND coalesce(group_columns, 0) IN (0, 128)
      AND checkpoint_id IN (SELECT checkpoint_id FROM variant WHERE method IN ('awq', 'int8')))
SELECT CASE WHEN min(item_count) = max(item_count) THEN printf('%d', min(item_count))
            ELSE printf('%d to %d', min(item_count), max(item_count)) END AS items,
       (SELECT group_concat(name, ', ') FROM (SELECT DISTINCT coalesce(role || ' = ' || model, model) AS name
                                             FROM s ORDER BY role_order, model)) AS models
FROM s
