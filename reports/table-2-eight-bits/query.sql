-- Quantizers at 8 bits.
SELECT facet, role, model, row_label, judge, data_name, compression, series, sparsity_percent, bits, score, shown_low AS low, shown_high AS high, dense_score, best, run_count, item_count, result_id
FROM s
ORDER BY role_order, model, CASE row_label WHEN 'Factoid QA' THEN 0 WHEN 'Multiple choice' THEN 1 WHEN 'Open-book QA' THEN 2 WHEN 'Instructions' THEN 3 END,
         method_order, series, sparsity_percent, variant_id
