-- What a judge is asked about the pruned model, word for word.
WITH r AS (SELECT r.*, v.model, v.checkpoint_id FROM result AS r JOIN variant AS v ON v.id = r.variant_id WHERE r.task = 'chat' AND r.judge IS NULL AND v.method = 'magnitude' AND v.pattern IS NULL AND abs(v.sparsity_target - 0.1) < 1e-6 AND coalesce(v.role, 'small') = 'small'),
chosen AS (SELECT i.item, i.item_group, row_number() OVER (PARTITION BY i.item_group ORDER BY length(i.item), i.item) AS place
           FROM r JOIN item AS i ON i.result_id = r.id)
SELECT c.item_group AS part, q.item, q.judge, q.system, q.prompt
FROM request AS q JOIN chosen AS c ON c.item = q.item AND c.place = 1
WHERE q.position = '12' AND q.name LIKE '%eval-chat%'
ORDER BY CASE c.item_group WHEN 'small' THEN 0 WHEN 'mid' THEN 1 WHEN 'large' THEN 2 ELSE 3 END, c.item_group, q.item, q.name
