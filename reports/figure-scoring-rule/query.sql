-- By how much the rule of the paper's released code scores more than the strict one, on the same outputs.
SELECT coalesce(role || ' model (' || model || ')', model) AS facet, role, model, capability, compression, series, sparsity_percent, pattern, bits, group_columns,
       100 * p.difference AS excess, 100 * p.low AS low, 100 * p.high AS high, s.percent AS strict_percent,
       (SELECT 100 * o.mean FROM joined_score AS o WHERE o.result_id = s.result_id AND o.part_kind = 'all' AND o.rule = 'paper') AS paper_percent,
       (SELECT 100 * q.difference FROM dense_result AS d JOIN paired AS q ON q.result_id = d.dense_id AND q.rule = 'paper_excess'
        WHERE d.result_id = s.result_id) AS dense_excess, p.pair_count AS items, s.result_id
FROM scores AS s JOIN paired AS p ON p.result_id = s.result_id AND p.rule = 'paper_excess'
WHERE s.rule = 'strict' AND part_kind = 'all' AND is_usual AND (shots IS NULL OR shots = 0) AND task IN ('factoid', 'choice', 'retrieval') AND compression IN ('none', 'unstructured')
ORDER BY role_order, model, capability, method_order, series, sparsity_percent, variant_id
