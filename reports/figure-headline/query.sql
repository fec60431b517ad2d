-- Every variant a point: how much of the dense model's score is gone, by how much its perplexity rose.
SELECT coalesce(role || ' model (' || model || ')', model) AS facet, role, model, capability, text, compression, series, sparsity_percent, pattern, bits, group_columns,
       times_dense, times_low, times_high, lost_percent, lost_low, lost_high, 5.0 AS tolerance, dense_percent, items, windows, result_id, perplexity_result_id
FROM point
ORDER BY role_order, model, capability, method_order, series, compression, sparsity_percent,
         CAST(pattern AS INTEGER), pattern, bits DESC, group_columns, variant_id
