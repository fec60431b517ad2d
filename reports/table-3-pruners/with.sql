WITH p AS (SELECT facet, role, model, row_label, judge, data_name, compression, series, method_order, role_order, sparsity_percent, bits,
                  factor * mean AS score, factor * low AS shown_low, factor * high AS shown_high, factor * dense_mean AS dense_score,
                  factor * dense_low AS dense_low, factor * dense_high AS dense_high, best, run_count, item_count, result_id, variant_id,
                  (SELECT dense_id FROM dense_result AS d WHERE d.result_id = table_score.result_id) AS dense_id
           FROM table_score
           WHERE row_label IN ('Factoid QA', 'Multiple choice', 'Long summaries', 'Instructions')
                 AND compression = 'unstructured' AND sparsity_percent <= 50.5 AND abs(sparsity_percent / 10 - round(sparsity_percent / 10)) < 1e-6
                 AND (role IS NULL OR role = coalesce((SELECT 'small' FROM variant WHERE role = 'small'), role))),
s AS (SELECT * FROM p
      UNION ALL -- the dense model begins each line
      SELECT DISTINCT facet, role, model, row_label, judge, data_name, 'none', series, method_order, role_order, 0.0, NULL,
             dense_score, dense_low, dense_high, dense_score, dense_low, dense_high, NULL, 1, item_count, dense_id, '', dense_id FROM p)
