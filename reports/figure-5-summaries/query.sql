-- Summaries by length of the story and by quality, as the automatic judge scores them.
SELECT coalesce(role || ' model (' || model || ')', model) || ', ' || CASE part WHEN 'mid' THEN 'medium' ELSE part END || ' stories' AS facet, role, model, data_name, part, rule, compression, series,
       sparsity_percent, pattern, bits, group_columns,
       percent, low_percent, high_percent, dense_percent, dense_low_percent, dense_high_percent,
       item_count
FROM scores AS s
WHERE task = 'summary' AND judge = 'overlap' AND part_kind = 'group' AND rule IN ('coherence', 'consistency', 'fluency', 'relevance') AND is_usual AND compression IN ('none', 'unstructured')
ORDER BY role_order, model, CASE part WHEN 'small' THEN 0 WHEN 'mid' THEN 1 WHEN 'large' THEN 2 ELSE 3 END, part, rule,
         CASE compression WHEN 'none' THEN 0 WHEN 'unstructured' THEN 1 WHEN 'n:m' THEN 2 ELSE 3 END,
         method_order, series, sparsity_percent, CAST(pattern AS INTEGER), pattern, bits DESC, group_columns, variant_id
