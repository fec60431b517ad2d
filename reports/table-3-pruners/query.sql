-- Pruners at moderate sparsity.
WITH t AS (SELECT *, CASE WHEN task = 'factoid' AND rule = 'strict' AND part_kind = 'all' THEN 'Factoid QA'
            WHEN task = 'choice' AND rule = 'strict' AND part_kind = 'all' AND shots = 0 THEN 'Multiple choice'
            WHEN task = 'retrieval' AND mode = 'open' AND rule = 'strict' AND part_kind = 'all' THEN 'Open-book QA'
            WHEN task = 'summary' AND judge = 'overlap' AND rule = 'coherence' AND part_kind = 'group' AND part = 'large'
                 THEN 'Long summaries'
            WHEN task = 'chat' AND judge = 'overlap' AND rule = 'relevance' AND part_kind = 'all' THEN 'Instructions' END AS row_label FROM scores),
p AS (SELECT coalesce(role || ' model (' || model || ')', model) AS facet, t.* FROM t
WHERE row_label IN ('Factoid QA', 'Multiple choice', 'Long summaries', 'Instructions') AND is_usual AND compression = 'unstructured' AND sparsity_percent <= 50.5
                     AND abs(sparsity_percent / 10 - round(sparsity_percent / 10)) < 1e-6
      AND (role IS NULL OR role = coalesce((SELECT 'small' FROM variant WHERE role = 'small'), role))),
-- The best of its like, and what the paired difference (95 %, of the first runs) does not tell apart from it.
top AS (SELECT checkpoint_id, row_label, sparsity_percent AS x, result_id FROM (SELECT *, row_number() OVER (PARTITION BY checkpoint_id, row_label, sparsity_percent ORDER BY percent DESC, result_id) AS place FROM p) WHERE place = 1),
gap AS (SELECT p.result_id, p.row_label, avg(d) AS mean, avg(d * d) AS square, count(d) AS n
        FROM p JOIN top AS o ON o.checkpoint_id = p.checkpoint_id AND o.row_label = p.row_label AND o.x = sparsity_percent
        JOIN (SELECT a.result_id AS best_id, b.result_id AS other_id, b.item_group,
                     CASE WHEN json_extract(a.record, '$.scores') IS NULL THEN a.strict_score - b.strict_score
                          WHEN r.task = 'summary' THEN json_extract(a.record, '$.scores.coherence') - json_extract(b.record, '$.scores.coherence')
                          ELSE json_extract(a.record, '$.scores.relevance') - json_extract(b.record, '$.scores.relevance') END AS d
              FROM item AS a JOIN item AS b ON b.item = a.item JOIN result AS r ON r.id = a.result_id) AS q
             ON q.best_id = o.result_id AND q.other_id = p.result_id AND (p.part_kind = 'all' OR q.item_group = p.part)
        GROUP BY p.result_id, p.row_label),
marked AS (SELECT p.facet, p.role, p.model, p.row_label, p.data_name, p.compression, p.series, p.method_order, p.role_order, p.sparsity_percent, p.bits, p.percent, p.low_percent, p.high_percent, p.dense_percent, p.dense_low_percent, p.dense_high_percent, p.run_count, p.item_count, p.variant_id, CASE WHEN o.result_id = p.result_id OR g.n > 1 AND g.mean - 1.96 * sqrt(max(g.square - g.mean * g.mean, 0) / (g.n - 1)) <= 0 THEN 1 ELSE 0 END AS best
FROM p JOIN top AS o ON o.checkpoint_id = p.checkpoint_id AND o.row_label = p.row_label AND o.x = p.sparsity_percent
LEFT JOIN gap AS g ON g.result_id = p.result_id AND g.row_label = p.row_label
UNION ALL -- the dense model begins each line
SELECT DISTINCT facet, role, model, row_label, data_name, 'none', series, method_order, role_order, 0.0, NULL, dense_percent, dense_low_percent, dense_high_percent, dense_percent, dense_low_percent, dense_high_percent, 1, item_count, '', NULL AS best FROM p)
SELECT facet, role, model, row_label, data_name, compression, series, sparsity_percent, bits,
       percent, low_percent, high_percent, dense_percent, dense_low_percent, dense_high_percent, best, run_count, item_count
FROM marked
ORDER BY role_order, model, CASE row_label WHEN 'Factoid QA' THEN 0 WHEN 'Multiple choice' THEN 1 WHEN 'Long summaries' THEN 2 WHEN 'Instructions' THEN 3 END,
         method_order, series, sparsity_percent, variant_id
