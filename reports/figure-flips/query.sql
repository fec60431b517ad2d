-- How many answers changed from right to wrong or back, against how much the score fell.
SELECT facet, role, model, capability, compression, series, sparsity_percent, pattern, bits, lost_points, lost_low, lost_high, flips_percent,
       100 * (flips + 1.9208 / n - 1.96 * sqrt(flips * (1 - flips) / n + 0.9604 / n / n)) / (1 + 3.8416 / n) AS flips_low,
       100 * (flips + 1.9208 / n + 1.96 * sqrt(flips * (1 - flips) / n + 0.9604 / n / n)) / (1 + 3.8416 / n) AS flips_high,
       right_to_wrong, wrong_to_right, p_holm, n, result_id
FROM answer_change
ORDER BY role_order, model, capability, CASE method WHEN 'magnitude' THEN 0 WHEN 'wanda' THEN 1 WHEN 'sparsegpt' THEN 2 WHEN 'rtn' THEN 3 WHEN 'gptq' THEN 4 ELSE 5 END,
         compression, sparsity_percent, pattern, bits DESC, variant_id
