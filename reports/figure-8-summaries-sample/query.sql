-- The first item of each part: prompt, and what the dense and the pruned model wrote.
SELECT c.part, c.item, x.prompt, x.output AS dense_output, y.output AS pruned_output, r.id AS result_id
FROM sample_result AS r JOIN sample_item AS c ON c.task = r.task
JOIN dense_result AS d ON d.result_id = r.id
JOIN reading AS x ON x.result_id = d.dense_id AND x.item = c.item JOIN reading AS y ON y.result_id = r.id AND y.item = c.item
WHERE r.task = 'summary'
ORDER BY c.part_order, c.part, c.item
