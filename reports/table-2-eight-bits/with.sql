WITH q AS (SELECT facet, role, model, row_label, judge, data_name, compression, series, method_order, role_order, sparsity_percent, bits,
                  factor * mean AS score, factor * low AS shown_low, factor * high AS shown_high, factor * dense_mean AS dense_score,
                  factor * dense_low AS dense_low, factor * dense_high AS dense_high, best, run_count, item_count, result_id, variant_id,
                  (SELECT dense_id FROM dense_result AS d WHERE d.result_id = table_score.result_id) AS dense_id
           FROM table_score
           WHERE row_label IN ('Factoid QA', 'Multiple choice', 'Open-book QA', 'Instructions') AND compression = 'quantized' AND bits = 8
                 AND checkpoint_id IN (SELECT checkpoint_id FROM variant WHERE method IN ('awq', 'int8'))),
s AS (SELECT * FROM q
      UNION ALL -- the dense model beside them
      SELECT DISTINCT facet, role, model, row_label, judge, data_name, 'none', 'Dense', 0, role_order, NULL, NULL,
             dense_score, dense_low, dense_high, dense_score, dense_low, dense_high, NULL, 1, item_count, dense_id, '', dense_id FROM q)
