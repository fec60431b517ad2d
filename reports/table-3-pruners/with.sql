WITH s AS (SELECT * FROM table_score
           WHERE row_label IN ('Factoid QA', 'Multiple choice', 'Long summaries', 'Instructions')
                 AND (compression = 'none' OR compression = 'unstructured' AND sparsity_percent <= 50.5
                                              AND abs(sparsity_percent / 10 - round(sparsity_percent / 10)) < 1e-6)
                 AND (role IS NULL OR role = coalesce((SELECT 'small' FROM variant WHERE role = 'small'), role))),
p AS (SELECT * FROM s WHERE compression = 'unstructured'),
marked AS (SELECT facet, role, model, row_label, data_name, compression, series, method_order, role_order, sparsity_percent, bits, percent, low_percent, high_percent, dense_percent, dense_low_percent, dense_high_percent, run_count, item_count, variant_id, best FROM p
UNION ALL -- the dense model begins each line
SELECT DISTINCT facet, role, model, row_label, data_name, 'none', series, method_order, role_order, 0.0, NULL, dense_percent, dense_low_percent, dense_high_percent, dense_percent, dense_low_percent, dense_high_percent, 1, item_count, '', NULL AS best FROM p)
