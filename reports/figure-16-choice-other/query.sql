-- Multiple choice without shots, all subjects.
SELECT coalesce(role || ' model (' || model || ')', model) AS facet, role, model, data_name, compression, series,
       sparsity_percent, pattern, bits, group_columns,
       percent, low_percent, high_percent, dense_percent, dense_low_percent, dense_high_percent,
       (SELECT 100 * o.mean FROM joined_score AS o WHERE o.result_id = s.result_id AND o.part_kind = s.part_kind
        AND o.part = s.part AND o.rule = 'letter') AS letter_percent,
       (SELECT 100 * o.mean FROM joined_score AS o WHERE o.result_id = s.result_id AND o.part_kind = s.part_kind
        AND o.part = s.part AND o.rule = 'paper') AS paper_percent,
       item_count, result_id
FROM scores AS s
WHERE task = 'choice' AND rule = 'strict' AND shots = 0 AND part_kind = 'all' AND role = 'other' AND is_usual AND compression IN ('none', 'unstructured', 'n:m', 'quantized')
ORDER BY role_order, model, CASE compression WHEN 'none' THEN 0 WHEN 'unstructured' THEN 1 WHEN 'n:m' THEN 2 ELSE 3 END,
         method_order, series, sparsity_percent, CAST(pattern AS INTEGER), pattern, bits DESC, group_columns, variant_id
