SELECT (SELECT group_concat(name, ', ') FROM (SELECT DISTINCT coalesce(role || ' = ' || model, model) AS name FROM s ORDER BY role, model)) AS models,
       coalesce((SELECT group_concat(judge, ', ') FROM (SELECT DISTINCT judge FROM s WHERE judge <> '' ORDER BY judge)), '–') AS judge,
       (SELECT text FROM (SELECT DISTINCT text FROM perplexity) ORDER BY text <> 'mixed', text LIMIT 1) AS text,
       coalesce((SELECT 'Multiple choice is not above chance (25 %) in the dense model of the role ' || group_concat(role, ' and ') ||
                        ': its break points there say nothing.'
                 FROM (SELECT DISTINCT coalesce(role, model) AS role FROM s WHERE task = 'choice' AND dense_low <= 0.25 ORDER BY role)
                 HAVING count(*) > 0), '') AS chance
