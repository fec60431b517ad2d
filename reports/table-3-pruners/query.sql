-- Pruners at moderate sparsity.
WITH t AS (SELECT *, CASE WHEN task = 'factoid' AND rule = 'strict' AND part_kind = 'all' THEN 'Factoid QA'
            WHEN task = 'choice' AND rule = 'strict' AND part_kind = 'all' AND shots = 0 THEN 'Multiple choice'
            WHEN task = 'retrieval' AND mode = 'open' AND rule = 'strict' AND part_kind = 'all' THEN 'Open-book QA'
            WHEN task = 'summary' AND judge = 'overlap' AND rule = 'coherence' AND part_kind = 'group' AND part = 'large'
                 THEN 'Long summaries'
            WHEN task = 'chat' AND judge = 'overlap' AND rule = 'relevance' AND part_kind = 'all' THEN 'Instructions' END AS row_label FROM scores)
SELECT coalesce(role || ' model (' || model || ')', model) AS facet, role, model, row_label, data_name, compression, series, sparsity_percent, bits,
       percent, low_percent, high_percent, dense_percent, dense_low_percent, dense_high_percent, item_count
FROM t
WHERE row_label IN ('Factoid QA', 'Multiple choice', 'Long summaries', 'Instructions') AND is_usual AND (compression = 'none' OR compression = 'unstructured' AND sparsity_percent <= 50.5
                     AND abs(sparsity_percent / 10 - round(sparsity_percent / 10)) < 1e-6)
      AND (role IS NULL OR role = coalesce((SELECT 'small' FROM variant WHERE role = 'small'), role))
ORDER BY role_order, model, CASE row_label WHEN 'Factoid QA' THEN 0 WHEN 'Multiple choice' THEN 1 WHEN 'Long summaries' THEN 2 WHEN 'Instructions' THEN 3 END,
         compression, method_order, series, sparsity_percent, variant_id
