-- Verdicts on the same items: an LLM judge's where one was loaded, else the automatic judge's.
WITH r AS (SELECT r.*, v.model, v.checkpoint_id FROM result AS r JOIN variant AS v ON v.id = r.variant_id WHERE r.task = 'chat' AND r.judge IS NULL AND v.method = 'magnitude' AND v.pattern IS NULL AND abs(v.sparsity_target - 0.1) < 1e-6 AND coalesce(v.role, 'small') = 'small'),
chosen AS (SELECT i.item, i.item_group, row_number() OVER (PARTITION BY i.item_group ORDER BY length(i.item), i.item) AS place
           FROM r JOIN item AS i ON i.result_id = r.id)
SELECT c.item_group AS part, c.item, j.judge, coalesce((SELECT group_concat('Turn ' || (t.key + 1) || ': ' || trim(json_extract(t.value, '$.output')), char(10)) FROM json_each(x.record, '$.turns') AS t), x.output) AS dense_output, coalesce((SELECT group_concat('Turn ' || (t.key + 1) || ': ' || trim(json_extract(t.value, '$.output')), char(10)) FROM json_each(y.record, '$.turns') AS t), y.output) AS pruned_output, (SELECT group_concat(q.key || ' ' || printf('%.2f', q.value), ', ') FROM json_each(a.record, '$.scores') AS q WHERE q.value IS NOT NULL) AS dense_scores, (SELECT group_concat(q.key || ' ' || printf('%.2f', q.value), ', ') FROM json_each(b.record, '$.scores') AS q WHERE q.value IS NOT NULL) AS pruned_scores,
       coalesce(json_extract(b.record, '$.explanation'), json_extract(b.record, '$.verdict')) AS explanation
FROM r JOIN chosen AS c ON c.place = 1
JOIN result AS j ON j.variant_id = r.variant_id AND j.task = r.task AND j.data_digest = r.data_digest AND j.judge = (SELECT judge FROM result WHERE task = 'chat' AND judge IS NOT NULL ORDER BY judge = 'overlap', judge LIMIT 1)
JOIN result AS dj ON dj.variant_id = r.checkpoint_id AND dj.task = r.task AND dj.judge = j.judge AND dj.data_digest = r.data_digest AND dj.definition = j.definition
JOIN result AS d ON d.variant_id = r.checkpoint_id AND d.task = r.task AND d.mode IS r.mode AND d.judge IS NULL AND d.data_digest = r.data_digest AND d.definition = r.definition
JOIN item AS x ON x.result_id = d.id AND x.item = c.item JOIN item AS y ON y.result_id = r.id AND y.item = c.item
JOIN item AS a ON a.result_id = dj.id AND a.item = c.item JOIN item AS b ON b.result_id = j.id AND b.item = c.item
ORDER BY CASE c.item_group WHEN 'small' THEN 0 WHEN 'mid' THEN 1 WHEN 'large' THEN 2 ELSE 3 END, c.item_group, c.item
