-- The first item of each part: prompt, and what the dense and the pruned model wrote.
WITH r AS (SELECT r.*, v.model, v.checkpoint_id FROM result AS r JOIN variant AS v ON v.id = r.variant_id WHERE r.task = 'chat' AND r.judge IS NULL AND v.method = 'magnitude' AND v.pattern IS NULL AND abs(v.sparsity_target - 0.1) < 1e-6 AND coalesce(v.role, 'small') = 'small'),
chosen AS (SELECT i.item, i.item_group, row_number() OVER (PARTITION BY i.item_group ORDER BY length(i.item), i.item) AS place
           FROM r JOIN item AS i ON i.result_id = r.id)
SELECT c.item_group AS part, c.item, json_extract(a.record, '$.prompt') AS prompt, coalesce((SELECT group_concat('Turn ' || (t.key + 1) || ': ' || trim(json_extract(t.value, '$.output')), char(10)) FROM json_each(a.record, '$.turns') AS t), a.output) AS dense_output, coalesce((SELECT group_concat('Turn ' || (t.key + 1) || ': ' || trim(json_extract(t.value, '$.output')), char(10)) FROM json_each(b.record, '$.turns') AS t), b.output) AS pruned_output
FROM r JOIN chosen AS c ON c.place = 1
JOIN result AS d ON d.variant_id = r.checkpoint_id AND d.task = r.task AND d.mode IS r.mode AND d.judge IS NULL AND d.data_digest = r.data_digest AND d.definition = r.definition
JOIN item AS a ON a.result_id = d.id AND a.item = c.item JOIN item AS b ON b.result_id = r.id AND b.item = c.item
ORDER BY CASE c.item_group WHEN 'small' THEN 0 WHEN 'mid' THEN 1 WHEN 'large' THEN 2 ELSE 3 END, c.item_group, c.item
