-- How far the next-token distributions went, against how much the score fell.
SELECT facet, role, model, capability, text, compression, series, sparsity_percent, pattern, bits, lost_points, lost_low, lost_high, kl, js,
       100 * agreement AS agreement_percent, windows, n, result_id, kl_result_id
FROM p
ORDER BY role_order, model, capability, CASE method WHEN 'magnitude' THEN 0 WHEN 'wanda' THEN 1 WHEN 'sparsegpt' THEN 2 WHEN 'rtn' THEN 3 WHEN 'gptq' THEN 4 ELSE 5 END,
         compression, sparsity_percent, pattern, bits DESC, variant_id
