-- The rise of perplexity on three texts, pruned without structure.
SELECT coalesce(role || ' model (' || model || ')', model) AS facet,
       role, model, text, method, compression,
       sparsity_percent, pattern, bits, group_columns,
       -- Groups other than 128 are series of their own.
       CASE WHEN compression = 'quantized' AND group_columns NOT IN (0, 128)
            THEN method || ' g' || group_columns ELSE method END AS series,
       perplexity, perplexity.low, perplexity.high, times_dense, p.low AS times_low, p.high AS times_high, 1 / 0.95 AS limit_times,
       dense_perplexity, dense_low, dense_high,
       achieved_percent, bits_per_weight, window_count, scored_tokens, perplexity.result_id
FROM perplexity LEFT JOIN paired AS p ON p.result_id = perplexity.result_id AND p.rule = 'perplexity_ratio'
WHERE variant_id IN (SELECT variant_id FROM calibration WHERE is_usual)
      AND compression = 'unstructured' AND text IN ('prose', 'mixed', 'facts')
ORDER BY CASE role WHEN 'large' THEN 0 WHEN 'small' THEN 1 WHEN 'other' THEN 2 ELSE 3 END, model, text,
         CASE compression WHEN 'none' THEN 0 WHEN 'unstructured' THEN 1 WHEN 'n:m' THEN 2 ELSE 3 END,
         CASE method_name WHEN 'magnitude' THEN 0 WHEN 'wanda' THEN 1 WHEN 'sparsegpt' THEN 2
                          WHEN 'rtn' THEN 3 WHEN 'gptq' THEN 4 ELSE 5 END,
         series, sparsity_percent,
         CAST(pattern AS INTEGER), pattern, bits DESC, group_columns, variant_id
