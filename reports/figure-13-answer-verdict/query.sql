-- Verdicts on the same items: an LLM judge's where one was loaded, else the automatic judge's.
SELECT c.part, c.item, j.judge, x.output AS dense_output, y.output AS pruned_output, a.scores AS dense_scores, b.scores AS pruned_scores, b.explanation, j.id AS result_id
FROM sample_result AS r JOIN sample_item AS c ON c.task = r.task
JOIN shown_judge AS s ON s.task = r.task
JOIN result AS j ON j.variant_id = r.variant_id AND j.task = r.task AND j.data_digest = r.data_digest AND j.judge = s.judge
JOIN dense_result AS dj ON dj.result_id = j.id JOIN dense_result AS d ON d.result_id = r.id
JOIN reading AS x ON x.result_id = d.dense_id AND x.item = c.item JOIN reading AS y ON y.result_id = r.id AND y.item = c.item
JOIN reading AS a ON a.result_id = dj.dense_id AND a.item = c.item JOIN reading AS b ON b.result_id = j.id AND b.item = c.item
WHERE r.task = 'chat'
ORDER BY c.part_order, c.part, c.item
