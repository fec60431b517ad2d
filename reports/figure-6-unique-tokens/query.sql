-- How many different tokens an answer to an instruction has: few where the text repeats itself.
SELECT coalesce(role || ' model (' || model || ')', model) AS facet, role, model, data_name, compression, series,
       sparsity_percent, pattern, bits, group_columns, mean AS unique_tokens, low, high,
       dense_mean, dense_low, dense_high, item_count, result_id
FROM scores AS s
WHERE task = 'chat' AND judge = 'overlap' AND part_kind = 'all' AND rule = 'unique_tokens' AND is_usual AND compression IN ('none', 'unstructured', 'n:m', 'quantized')
ORDER BY role_order, model, CASE compression WHEN 'none' THEN 0 WHEN 'unstructured' THEN 1 WHEN 'n:m' THEN 2 ELSE 3 END,
         method_order, series, sparsity_percent, CAST(pattern AS INTEGER), pattern, bits DESC, group_columns, variant_id
