-- Answers to instructions by quality, as the judge scores them.
SELECT coalesce(role || ' model (' || model || ')', model) || ', ' || CASE rule WHEN 'relevance' THEN 'facts recalled' ELSE rule END AS facet,
       role, model, judge, data_name, rule, compression, series, sparsity_percent, pattern, bits, group_columns,
       CASE judge WHEN 'overlap' THEN 100 ELSE 1 END * mean AS score, CASE judge WHEN 'overlap' THEN 100 ELSE 1 END * low AS low,
       CASE judge WHEN 'overlap' THEN 100 ELSE 1 END * high AS high, CASE judge WHEN 'overlap' THEN 100 ELSE 1 END * dense_mean AS dense_score,
       CASE judge WHEN 'overlap' THEN 100 ELSE 1 END * dense_low AS dense_low, CASE judge WHEN 'overlap' THEN 100 ELSE 1 END * dense_high AS dense_high,
       item_count
FROM s
WHERE compression IN ('none', 'unstructured', 'n:m', 'quantized')
ORDER BY role_order, model, rule, CASE compression WHEN 'none' THEN 0 WHEN 'unstructured' THEN 1 WHEN 'n:m' THEN 2 ELSE 3 END,
         method_order, series, sparsity_percent, CAST(pattern AS INTEGER), pattern, bits DESC, group_columns, variant_id
