-- The large model pruned, beside the small one as it is.
WITH small AS (SELECT task, mode, data_digest, shots, percent, low_percent, high_percent, model, result_id FROM scores
               WHERE role = 'small' AND compression = 'none' AND rule = 'strict' AND part_kind = 'all' AND is_usual AND (shots IS NULL OR shots = 0) AND task IN ('factoid', 'choice', 'retrieval'))
SELECT l.capability, l.model, s.model AS small_model, l.series, l.sparsity_percent, l.percent, l.low_percent, l.high_percent,
       s.percent AS small_percent, s.low_percent AS small_low_percent, s.high_percent AS small_high_percent,
       l.dense_percent, l.stored_bytes / 1e6 AS stored_megabytes, l.item_count, l.result_id, s.result_id AS small_result_id
FROM scores AS l
JOIN small AS s ON s.task = l.task AND s.mode IS l.mode AND s.data_digest = l.data_digest AND s.shots IS l.shots
WHERE l.role = 'large' AND l.compression = 'unstructured' AND l.rule = 'strict' AND l.part_kind = 'all' AND l.is_usual AND (l.shots IS NULL OR l.shots = 0) AND l.task IN ('factoid', 'choice', 'retrieval')
ORDER BY l.capability, l.method_order, l.series, l.sparsity_percent, l.variant_id
