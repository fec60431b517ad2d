-- Summaries by length of the story and by quality: against sparsity.
SELECT coalesce(role || ' model (' || model || ')', model) || ', ' || CASE part WHEN 'mid' THEN 'medium' ELSE part END || ' stories' AS facet,
       role, model, judge, data_name, part, rule, compression, series, sparsity_percent, pattern, bits, group_columns,
       CASE judge WHEN 'overlap' THEN 100 ELSE 1 END * mean AS score, CASE judge WHEN 'overlap' THEN 100 ELSE 1 END * low AS low,
       CASE judge WHEN 'overlap' THEN 100 ELSE 1 END * high AS high, CASE judge WHEN 'overlap' THEN 100 ELSE 1 END * dense_mean AS dense_score,
       CASE judge WHEN 'overlap' THEN 100 ELSE 1 END * dense_low AS dense_low, CASE judge WHEN 'overlap' THEN 100 ELSE 1 END * dense_high AS dense_high,
       item_count
FROM s
ORDER BY role_order, model, CASE part WHEN 'small' THEN 0 WHEN 'mid' THEN 1 WHEN 'large' THEN 2 ELSE 3 END, part, rule,
         CASE compression WHEN 'none' THEN 0 ELSE 1 END,
         method_order, series, sparsity_percent, CAST(pattern AS INTEGER), pattern, bits DESC, group_columns, variant_id
