-- Multiple choice of variants that differ in nothing but how many samples they were calibrated on.
SELECT coalesce(role || ' model (' || model || ')', model) AS facet, role, model, data_name, series, sparsity_percent, sample_count,
       percent, low_percent, high_percent, dense_percent, dense_low_percent, dense_high_percent, item_count, result_id
FROM scores AS s
WHERE task = 'choice' AND rule = 'strict' AND shots = 0 AND part_kind = 'all' AND sample_count IS NOT NULL AND compression = 'unstructured'
      AND (checkpoint_id, method_name, sparsity_percent) IN (
          SELECT checkpoint_id, method_name, sparsity_percent FROM scores WHERE task = 'choice' AND rule = 'strict' AND compression = 'unstructured'
          GROUP BY checkpoint_id, method_name, sparsity_percent HAVING count(DISTINCT sample_count) > 1)
ORDER BY role_order, model, sparsity_percent, method_order, sample_count, variant_id
