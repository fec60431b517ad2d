SELECT CASE WHEN min(item_count) = max(item_count) THEN printf('%d', min(item_count))
            ELSE printf('%d to %d', min(item_count), max(item_count)) END AS items,
       max(CASE WHEN judge IS NOT NULL THEN 'judged tasks: ' || CASE judge WHEN 'overlap' THEN 'the automatic judge, 0 to 100, not the paper''s LLM'
                                                                              ELSE judge || ', 1 to 10' END END) AS judge,
       (SELECT group_concat(name, ', ') FROM (SELECT DISTINCT coalesce(role || ' = ' || model, model) AS name
                                             FROM s ORDER BY role_order, model)) AS models
FROM s
