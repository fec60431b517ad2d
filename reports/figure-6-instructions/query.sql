-- Answers to instructions by quality, as the automatic judge scores them.
SELECT coalesce(role || ' model (' || model || ')', model) || ', ' || rule AS facet, role, model, data_name, rule, compression, series,
       sparsity_percent, pattern, bits, group_columns,
       percent, low_percent, high_percent, dense_percent, dense_low_percent, dense_high_percent,
       item_count
FROM scores AS s
WHERE task = 'chat' AND judge = 'overlap' AND part_kind = 'all' AND rule IN ('coherence', 'fluency', 'relevance') AND is_usual AND compression IN ('none', 'unstructured', 'n:m', 'quantized')
ORDER BY role_order, model, rule, CASE compression WHEN 'none' THEN 0 WHEN 'unstructured' THEN 1 WHEN 'n:m' THEN 2 ELSE 3 END,
         method_order, series, sparsity_percent, CAST(pattern AS INTEGER), pattern, bits DESC, group_columns, variant_id
