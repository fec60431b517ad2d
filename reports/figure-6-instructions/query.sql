-- Answers to instructions by quality, as the judge scores them.
SELECT coalesce(role || ' model (' || model || ')', model) || ', ' || CASE rule WHEN 'relevance' THEN 'facts recalled' ELSE rule END AS facet,
       role, model, judge, data_name, rule, compression, series, sparsity_percent, pattern, bits, group_columns,
       factor * mean AS score, factor * low AS low, factor * high AS high,
       factor * dense_mean AS dense_score, factor * dense_low AS dense_low, factor * dense_high AS dense_high, item_count, result_id
FROM s
WHERE compression IN ('none', 'unstructured', 'n:m', 'quantized')
ORDER BY role_order, model, rule, CASE compression WHEN 'none' THEN 0 WHEN 'unstructured' THEN 1 WHEN 'n:m' THEN 2 ELSE 3 END,
         method_order, series, sparsity_percent, CAST(pattern AS INTEGER), pattern, bits DESC, group_columns, variant_id
