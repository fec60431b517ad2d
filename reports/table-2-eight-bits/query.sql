-- Quantizers at 8 bits.
WITH t AS (SELECT *, CASE WHEN task = 'factoid' AND rule = 'strict' AND part_kind = 'all' THEN 'Factoid QA'
            WHEN task = 'choice' AND rule = 'strict' AND part_kind = 'all' AND shots = 0 THEN 'Multiple choice'
            WHEN task = 'retrieval' AND mode = 'open' AND rule = 'strict' AND part_kind = 'all' THEN 'Open-book QA'
            WHEN task = 'summary' AND judge = 'overlap' AND rule = 'coherence' AND part_kind = 'group' AND part = 'large'
                 THEN 'Long summaries'
            WHEN task = 'chat' AND judge = 'overlap' AND rule = 'relevance' AND part_kind = 'all' THEN 'Instructions' END AS row_label FROM scores),
p AS (SELECT coalesce(role || ' model (' || model || ')', model) AS facet, t.* FROM t
WHERE row_label IN ('Factoid QA', 'Multiple choice', 'Open-book QA', 'Instructions') AND is_usual AND compression = 'quantized' AND bits = 8 AND coalesce(group_columns, 0) IN (0, 128)
      AND checkpoint_id IN (SELECT checkpoint_id FROM variant WHERE method IN ('awq', 'int8'))),
-- The best of its like, and what the paired difference (95 %, of the first runs) does not tell apart from it.
top AS (SELECT checkpoint_id, row_label, bits AS x, result_id FROM (SELECT *, row_number() OVER (PARTITION BY checkpoint_id, row_label, bits ORDER BY percent DESC, result_id) AS place FROM p) WHERE place = 1),
gap AS (SELECT p.result_id, p.row_label, avg(d) AS mean, avg(d * d) AS square, count(d) AS n
        FROM p JOIN top AS o ON o.checkpoint_id = p.checkpoint_id AND o.row_label = p.row_label AND o.x = bits
        JOIN (SELECT a.result_id AS best_id, b.result_id AS other_id, b.item_group,
                     CASE WHEN json_extract(a.record, '$.scores') IS NULL THEN a.strict_score - b.strict_score
                          WHEN r.task = 'summary' THEN json_extract(a.record, '$.scores.coherence') - json_extract(b.record, '$.scores.coherence')
                          ELSE json_extract(a.record, '$.scores.relevance') - json_extract(b.record, '$.scores.relevance') END AS d
              FROM item AS a JOIN item AS b ON b.item = a.item JOIN result AS r ON r.id = a.result_id) AS q
             ON q.best_id = o.result_id AND q.other_id = p.result_id AND (p.part_kind = 'all' OR q.item_group = p.part)
        GROUP BY p.result_id, p.row_label),
marked AS (SELECT p.*, CASE WHEN o.result_id = p.result_id OR g.n > 1 AND g.mean - 1.96 * sqrt(max(g.square - g.mean * g.mean, 0) / (g.n - 1)) <= 0 THEN 1 ELSE 0 END AS best
FROM p JOIN top AS o ON o.checkpoint_id = p.checkpoint_id AND o.row_label = p.row_label AND o.x = p.bits
LEFT JOIN gap AS g ON g.result_id = p.result_id AND g.row_label = p.row_label)
SELECT facet, role, model, row_label, data_name, compression, series, sparsity_percent, bits,
       percent, low_percent, high_percent, dense_percent, dense_low_percent, dense_high_percent, best, run_count, item_count
FROM marked
ORDER BY role_order, model, CASE row_label WHEN 'Factoid QA' THEN 0 WHEN 'Multiple choice' THEN 1 WHEN 'Open-book QA' THEN 2 WHEN 'Instructions' THEN 3 END,
         method_order, series, sparsity_percent, variant_id
