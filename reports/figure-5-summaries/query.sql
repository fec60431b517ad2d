-- Summaries by length of the story and by quality: against sparsity.
SELECT coalesce(role || ' model (' || model || ')', model) || ', ' || CASE part WHEN 'mid' THEN 'medium' ELSE part END || ' stories' AS facet,
       role, model, judge, data_name, part, rule, compression, series, sparsity_percent, pattern, bits, group_columns,
       factor * mean AS score, factor * low AS low, factor * high AS high,
       factor * dense_mean AS dense_score, factor * dense_low AS dense_low, factor * dense_high AS dense_high, item_count, result_id
FROM s
ORDER BY role_order, model, CASE part WHEN 'small' THEN 0 WHEN 'mid' THEN 1 WHEN 'large' THEN 2 ELSE 3 END, part, rule,
         CASE compression WHEN 'none' THEN 0 ELSE 1 END,
         method_order, series, sparsity_percent, CAST(pattern AS INTEGER), pattern, bits DESC, group_columns, variant_id
